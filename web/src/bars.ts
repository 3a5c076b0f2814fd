/** The 52 blendshapes as sliders: they show what was fitted, and move the head when dragged. */

const GROUPS: readonly (readonly [string, RegExp])[] = [
  ["Eyes", /^eye/],
  ["Brows", /^brow/],
  ["Jaw and mouth", /^(jaw|mouth)/],
  ["Cheeks, nose, tongue", /^(cheek|nose|tongue)/],
];

export class Bars {
  private readonly rows = new Map<string, { input: HTMLInputElement; output: HTMLOutputElement }>();

  constructor(
    private readonly holder: HTMLElement,
    private readonly moved: (weights: Record<string, number>) => void,
  ) {}

  /** Show weights; the sliders are made when the names are first known. */
  show(weights: Record<string, number>): void {
    if (!this.rows.size) this.build(Object.keys(weights));
    for (const [name, value] of Object.entries(weights)) this.set(name, value);
  }

  get weights(): Record<string, number> {
    return Object.fromEntries([...this.rows].map(([name, { input }]) => [name, input.valueAsNumber]));
  }

  private build(names: readonly string[]): void {
    for (const [title, pattern] of GROUPS) {
      const group = document.createElement("fieldset");
      const legend = document.createElement("legend");
      legend.textContent = title;
      group.append(legend, ...names.filter((name) => pattern.test(name)).map((name) => this.row(name)));
      this.holder.append(group);
    }
  }

  private row(name: string): HTMLElement {
    const label = document.createElement("label");
    const text = document.createElement("span");
    text.textContent = spoken(name);
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: "0", max: "1", step: "0.01", value: "0" });
    input.dataset.testid = `bar-${name}`;
    const output = document.createElement("output");
    output.textContent = "0.00";
    input.addEventListener("input", () => {
      output.textContent = input.valueAsNumber.toFixed(2);
      this.moved(this.weights);
    });
    label.append(text, input, output);
    this.rows.set(name, { input, output });
    return label;
  }

  private set(name: string, value: number): void {
    const row = this.rows.get(name);
    if (!row || row.input.matches(":active")) return; // not from under somebody's finger
    row.input.value = String(value);
    row.output.textContent = value.toFixed(2);
  }
}

/** "mouthSmileLeft" as people read it: "mouth smile left". */
function spoken(name: string): string {
  return name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
}
