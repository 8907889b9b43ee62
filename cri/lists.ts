import type { ImageRecord } from '../image/images.ts';
import type { ContainerView, SandboxView } from '../pod/pods.ts';
import { containerToWire } from './convert/container.ts';
import { imageToWire } from './convert/image.ts';
import { sandboxToWire } from './convert/sandbox.ts';
import { ListItems } from './list-items.ts';
import { Container, Image, PodSandbox } from './proto/codec.js';

/** Containers as lists carry them: of what they show, only the state changes once they are made. */
export const containerItems = new ListItems<ContainerView, Container>(
  Container,
  containerToWire,
  ({ config }) => config,
  ({ state, imageId, imageRef }) => [state, imageId, imageRef],
);

/** Sandboxes as lists carry them: only the state changes. */
export const sandboxItems = new ListItems<SandboxView, PodSandbox>(
  PodSandbox,
  sandboxToWire,
  ({ config }) => config,
  ({ state }) => [state],
);

/** Images as lists carry them: a change of names is another record. */
export const imageItems = new ListItems<ImageRecord, Image>(
  Image,
  imageToWire,
  (image) => image,
  ({ pinned, repoTags, repoDigests, size }) => [pinned, repoTags, repoDigests, size],
);
