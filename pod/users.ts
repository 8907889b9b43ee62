/** Who a container's first process is. */
export interface ResolvedUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  /** From the image's passwd file; absent when the user has no entry there. */
  home?: string;
}
