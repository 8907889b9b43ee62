import { attach } from './runtime/attach.ts';
import { checkpointContainer } from './runtime/checkpoint-container.ts';
import { containerStats } from './runtime/container-stats.ts';
import { containerStatus } from './runtime/container-status.ts';
import { createContainer } from './runtime/create-container.ts';
import { exec } from './runtime/exec.ts';
import { execSync } from './runtime/exec-sync.ts';
import { getContainerEvents } from './runtime/get-container-events.ts';
import { listContainerStats } from './runtime/list-container-stats.ts';
import { listContainers } from './runtime/list-containers.ts';
import { listMetricDescriptors } from './runtime/list-metric-descriptors.ts';
import { listPodSandboxMetrics } from './runtime/list-pod-sandbox-metrics.ts';
import { listPodSandboxStats } from './runtime/list-pod-sandbox-stats.ts';
import { listPodSandbox } from './runtime/list-pod-sandbox.ts';
import { podSandboxStats } from './runtime/pod-sandbox-stats.ts';
import { podSandboxStatus } from './runtime/pod-sandbox-status.ts';
import { portForward } from './runtime/port-forward.ts';
import { removeContainer } from './runtime/remove-container.ts';
import { removePodSandbox } from './runtime/remove-pod-sandbox.ts';
import { reopenContainerLog } from './runtime/reopen-container-log.ts';
import { runPodSandbox } from './runtime/run-pod-sandbox.ts';
import { runtimeConfig } from './runtime/runtime-config.ts';
import { startContainer } from './runtime/start-container.ts';
import { status } from './runtime/status.ts';
import { stopContainer } from './runtime/stop-container.ts';
import { stopPodSandbox } from './runtime/stop-pod-sandbox.ts';
import { streamContainerStats } from './runtime/stream-container-stats.ts';
import { streamPodSandboxMetrics } from './runtime/stream-pod-sandbox-metrics.ts';
import { streamPodSandboxStats } from './runtime/stream-pod-sandbox-stats.ts';
import { streamContainers } from './runtime/stream-containers.ts';
import { streamPodSandboxes } from './runtime/stream-pod-sandboxes.ts';
import { updateContainerResources } from './runtime/update-container-resources.ts';
import { updatePodSandboxResources } from './runtime/update-pod-sandbox-resources.ts';
import { updateRuntimeConfig } from './runtime/update-runtime-config.ts';
import { version } from './runtime/version.ts';
import { imageFsInfo } from './image/image-fs-info.ts';
import { imageStatus } from './image/image-status.ts';
import { listImages } from './image/list-images.ts';
import { pullImage } from './image/pull-image.ts';
import { removeImage } from './image/remove-image.ts';
import { streamImages } from './image/stream-images.ts';
import { census } from './admin/census.ts';
import { check } from './admin/check.ts';
import { inspectImage } from './admin/inspect-image.ts';
import { loadImage } from './admin/load-image.ts';
import { saveImage } from './admin/save-image.ts';
import { watchPull } from './admin/watch-pull.ts';
import type { Handlers } from './handler.ts';

/** Every RPC that is served. The server answers Unimplemented to the others. */
export const HANDLERS: Handlers = {
  Attach: attach,
  CheckpointContainer: checkpointContainer,
  ContainerStats: containerStats,
  ContainerStatus: containerStatus,
  CreateContainer: createContainer,
  Exec: exec,
  ExecSync: execSync,
  GetContainerEvents: getContainerEvents,
  ListContainerStats: listContainerStats,
  ListContainers: listContainers,
  ListPodSandbox: listPodSandbox,
  ListMetricDescriptors: listMetricDescriptors,
  ListPodSandboxMetrics: listPodSandboxMetrics,
  ListPodSandboxStats: listPodSandboxStats,
  PodSandboxStats: podSandboxStats,
  PodSandboxStatus: podSandboxStatus,
  PortForward: portForward,
  RemoveContainer: removeContainer,
  RemovePodSandbox: removePodSandbox,
  ReopenContainerLog: reopenContainerLog,
  RunPodSandbox: runPodSandbox,
  RuntimeConfig: runtimeConfig,
  StartContainer: startContainer,
  Status: status,
  StopContainer: stopContainer,
  StopPodSandbox: stopPodSandbox,
  StreamContainerStats: streamContainerStats,
  StreamPodSandboxMetrics: streamPodSandboxMetrics,
  StreamPodSandboxStats: streamPodSandboxStats,
  StreamContainers: streamContainers,
  StreamPodSandboxes: streamPodSandboxes,
  UpdateContainerResources: updateContainerResources,
  UpdatePodSandboxResources: updatePodSandboxResources,
  UpdateRuntimeConfig: updateRuntimeConfig,
  Version: version,
  ImageFsInfo: imageFsInfo,
  ImageStatus: imageStatus,
  ListImages: listImages,
  PullImage: pullImage,
  RemoveImage: removeImage,
  StreamImages: streamImages,
  Census: census,
  Check: check,
  InspectImage: inspectImage,
  LoadImage: loadImage,
  SaveImage: saveImage,
  WatchPull: watchPull,
};
