/** The iBUG-68 landmarks: groups, connecting lines and colours. */

export interface Group {
  name: string;
  colour: string;
  /** Runs of landmarks connected by lines; a closed run returns to its start. */
  runs: { from: number; to: number; closed: boolean }[];
}

export const GROUPS: readonly Group[] = [
  { name: "jaw", colour: "#5ec8ff", runs: [{ from: 0, to: 16, closed: false }] },
  {
    name: "brows",
    colour: "#ffd166",
    runs: [
      { from: 17, to: 21, closed: false },
      { from: 22, to: 26, closed: false },
    ],
  },
  {
    name: "nose",
    colour: "#7ee787",
    runs: [
      { from: 27, to: 30, closed: false },
      { from: 31, to: 35, closed: false },
    ],
  },
  {
    name: "eyes",
    colour: "#ff7ab6",
    runs: [
      { from: 36, to: 41, closed: true },
      { from: 42, to: 47, closed: true },
    ],
  },
  {
    name: "mouth",
    colour: "#ff9d5c",
    runs: [
      { from: 48, to: 59, closed: true },
      { from: 60, to: 67, closed: true },
    ],
  },
];
