/** The 52 blendshapes as sliders: they show the fitted weights and animate the head when dragged. */

import { capital } from "./dom";

type Weights = Record<string, number>;

interface Group {
  title: string;
  pattern: RegExp;
  /** Part of the name that the title repeats; it is removed from the labels. */
  said?: RegExp;
}

const GROUPS: readonly Group[] = [
  { title: "Eyes", pattern: /^eye/, said: /^eye/ },
  { title: "Brows", pattern: /^brow/, said: /^brow/ },
  { title: "Jaw and mouth", pattern: /^(jaw|mouth)/, said: /^mouth(?!Left$|Right$)/ },
  { title: "Cheeks, nose, tongue", pattern: /^(cheek|nose|tongue)/ },
];
const FIRST = "Jaw and mouth"; // the only group that is open on small screens

export class Bars {
  private readonly rows = new Map<string, { input: HTMLInputElement; output: HTMLOutputElement }>();

  constructor(
    private readonly holder: HTMLElement,
    private readonly moved: (weights: Weights) => void,
  ) {}

  /** Show weights; the sliders are created with the first ones. */
  show(weights: Weights): void {
    if (!this.rows.size) this.build(Object.keys(weights));
    for (const [name, value] of Object.entries(weights)) this.set(name, value);
  }

  get weights(): Weights {
    return Object.fromEntries([...this.rows].map(([name, { input }]) => [name, input.valueAsNumber]));
  }

  private build(names: readonly string[]): void {
    const small = matchMedia("(max-width: 720px)").matches;
    for (const { title, pattern, said } of GROUPS) {
      const group = document.createElement("details");
      group.open = !small || title === FIRST;
      const summary = document.createElement("summary");
      summary.textContent = title;
      const own = names.filter((name) => pattern.test(name));
      group.append(summary, ...own.map((name) => this.row(name, said ? name.replace(said, "") : name)));
      this.holder.append(group);
    }
  }

  private row(name: string, shown: string): HTMLElement {
    const label = document.createElement("label");
    const text = document.createElement("span");
    text.textContent = capital(spoken(shown));
    text.title = name;
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: "0", max: "1", step: "0.01", value: "0" });
    input.dataset.testid = `bar-${name}`;
    input.setAttribute("aria-label", spoken(name));
    const output = document.createElement("output");
    output.setAttribute("aria-hidden", "true"); // the slider announces its value itself
    output.textContent = "0.00";
    input.addEventListener("input", () => {
      this.write(name, input.valueAsNumber);
      this.moved(this.weights);
    });
    label.append(text, input, output);
    this.rows.set(name, { input, output });
    return label;
  }

  private set(name: string, value: number): void {
    const row = this.rows.get(name);
    if (!row || row.input.matches(":active")) return; // do not move a slider that is being dragged
    row.input.value = String(value);
    this.write(name, value);
  }

  private write(name: string, value: number): void {
    const row = this.rows.get(name);
    if (!row) return;
    row.output.textContent = value.toFixed(2);
    row.input.style.setProperty("--filled", String(value));
  }
}

/** "mouthSmileLeft" in words: "mouth smile left". */
function spoken(name: string): string {
  return name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`).trim();
}
