/** One thing that was looked at. */
export interface Finding {
  /** `bad`: pods cannot run without it. `note`: something will not work. */
  state: 'good' | 'note' | 'bad';
  what: string;
  detail: string;
  /** The Debian package that brings it. */
  install?: string;
}
