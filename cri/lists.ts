import type { ImageRecord } from '../image/images.ts';
import type { ContainerView, SandboxView } from '../pod/pods.ts';
import { containerToWire } from './convert/container.ts';
import { imageToWire } from './convert/image.ts';
import { sandboxToWire } from './convert/sandbox.ts';
import { containerStatsToWire, podStatsToWire } from './convert/stats.ts';
import { podMetricsToWire } from './convert/metrics.ts';
import { FreshItems, ListItems } from './list-items.ts';
import {
  Container,
  ContainerStats,
  Image,
  PodSandbox,
  PodSandboxMetrics,
  PodSandboxStats,
} from './proto/codec.js';

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

/** Statistics of containers. */
export const containerStatsItems = new FreshItems(ContainerStats, containerStatsToWire);

/** Statistics of pods with their containers. */
export const podStatsItems = new FreshItems(PodSandboxStats, podStatsToWire);

/** Metrics of pods with their containers: some hundred values each. */
export const podMetricsItems = new FreshItems(PodSandboxMetrics, podMetricsToWire);
