/** What an image is built for, in Go's words (OCI image specification, image-index.md). */
export interface Platform {
  os: string;
  architecture: string;
  variant: string;
}

/** OCI image specification, descriptor.md. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform: Platform | undefined;
  annotations: Record<string, string>;
}
