import type { UnaryHandler } from '../handler.ts';
import { descriptorToWire } from '../convert/metrics.ts';

/** The metrics that pods and containers can have. */
export const listMetricDescriptors: UnaryHandler<'ListMetricDescriptors'> = ({ pods }) => ({
  descriptors: pods.metricDescriptors().map(descriptorToWire),
});
