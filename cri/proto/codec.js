// Written by generate.ts from the .proto files. Do not edit: run `node cri/proto/generate.ts`.
import protobuf from 'protobufjs/minimal.js';

const { Reader, Writer } = protobuf;
const EMPTY = Buffer.alloc(0);

/** One message type: `encode` takes any part of it, `decode` gives every field a value. */
function codec(name, encode, decode) {
  return {
    name,
    encode(message) {
      const w = Writer.create();
      encode(message, w);
      return w.finish(true);
    },
    decode(bytes) {
      const r = Reader.create(bytes);
      return decode(r, r.len);
    },
  };
}

/** Where the length-prefixed value that begins here ends. */
function ahead(r) {
  const size = r.size();
  const end = r.pos + size;
  if (end > r.len) throw new RangeError('a length runs past the end of the message');
  return end;
}

function uint64(r) {
  let low = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = next(r);
    low |= (byte & 127) << shift;
    if (byte < 128) return BigInt(low);
  }
  let value = BigInt(low);
  for (let shift = 28n; shift < 70n; shift += 7n) {
    const byte = next(r);
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asUintN(64, value);
  }
  throw new RangeError('a varint is longer than ten bytes');
}

function int64(r) {
  return BigInt.asIntN(64, uint64(r));
}

function next(r) {
  if (r.pos >= r.len) throw new RangeError('a varint runs past the end of the message');
  return r.buf[r.pos++];
}

/** A 64-bit number as protobufjs takes it: numbers as they are, bigints in two halves. */
function bits(value) {
  if (typeof value === 'number') return value;
  const whole = BigInt.asUintN(64, value);
  return { low: Number(whole & 0xffffffffn), high: Number(whole >> 32n) };
}

function writeMap(w, tag, map) {
  for (const key in map) w.uint32(tag).fork().uint32(10).string(key).uint32(18).string(map[key]).ldelim();
}

function readEntry(r, map) {
  const end = ahead(r);
  let key = '';
  let value = '';
  while (r.pos < end) {
    const tag = r.tag();
    if (tag === 10) key = r.stringVerify();
    else if (tag === 18) value = r.stringVerify();
    else r.skipType(tag & 7, 0, tag >>> 3);
  }
  if (r.pos !== end) throw new RangeError('a map entry runs past its end');
  // A plain assignment to __proto__ would replace the map's prototype.
  if (key === '__proto__') Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true });
  else map[key] = value;
}

function encodeVersionRequest(m, w) {
  if (m.version) w.uint32(10).string(m.version);
}
function decodeVersionRequest(r, end, m = { version: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.version = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('VersionRequest runs past its end');
  return m;
}
export const VersionRequest = codec('VersionRequest', encodeVersionRequest, decodeVersionRequest);

function encodeVersionResponse(m, w) {
  if (m.version) w.uint32(10).string(m.version);
  if (m.runtimeName) w.uint32(18).string(m.runtimeName);
  if (m.runtimeVersion) w.uint32(26).string(m.runtimeVersion);
  if (m.runtimeApiVersion) w.uint32(34).string(m.runtimeApiVersion);
}
function decodeVersionResponse(r, end, m = { version: '', runtimeName: '', runtimeVersion: '', runtimeApiVersion: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.version = r.stringVerify(); break;
      case 18: m.runtimeName = r.stringVerify(); break;
      case 26: m.runtimeVersion = r.stringVerify(); break;
      case 34: m.runtimeApiVersion = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('VersionResponse runs past its end');
  return m;
}
export const VersionResponse = codec('VersionResponse', encodeVersionResponse, decodeVersionResponse);

function encodeDNSConfig(m, w) {
  if (m.servers) for (const x of m.servers) w.uint32(10).string(x);
  if (m.searches) for (const x of m.searches) w.uint32(18).string(x);
  if (m.options) for (const x of m.options) w.uint32(26).string(x);
}
function decodeDNSConfig(r, end, m = { servers: [], searches: [], options: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.servers.push(r.stringVerify()); break;
      case 18: m.searches.push(r.stringVerify()); break;
      case 26: m.options.push(r.stringVerify()); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('DNSConfig runs past its end');
  return m;
}
export const DNSConfig = codec('DNSConfig', encodeDNSConfig, decodeDNSConfig);

export const Protocol = Object.freeze({ TCP: 0, UDP: 1, SCTP: 2 });

function encodePortMapping(m, w) {
  if (m.protocol) w.uint32(8).int32(m.protocol);
  if (m.containerPort) w.uint32(16).int32(m.containerPort);
  if (m.hostPort) w.uint32(24).int32(m.hostPort);
  if (m.hostIp) w.uint32(34).string(m.hostIp);
}
function decodePortMapping(r, end, m = { protocol: 0, containerPort: 0, hostPort: 0, hostIp: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.protocol = r.int32(); break;
      case 16: m.containerPort = r.int32(); break;
      case 24: m.hostPort = r.int32(); break;
      case 34: m.hostIp = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PortMapping runs past its end');
  return m;
}
export const PortMapping = codec('PortMapping', encodePortMapping, decodePortMapping);

export const MountPropagation = Object.freeze({ PROPAGATION_PRIVATE: 0, PROPAGATION_HOST_TO_CONTAINER: 1, PROPAGATION_BIDIRECTIONAL: 2 });

function encodeMount(m, w) {
  if (m.containerPath) w.uint32(10).string(m.containerPath);
  if (m.hostPath) w.uint32(18).string(m.hostPath);
  if (m.readonly) w.uint32(24).bool(m.readonly);
  if (m.selinuxRelabel) w.uint32(32).bool(m.selinuxRelabel);
  if (m.propagation) w.uint32(40).int32(m.propagation);
  if (m.uidMappings) for (const x of m.uidMappings) encodeIDMapping(x, w.uint32(50).fork()), w.ldelim();
  if (m.gidMappings) for (const x of m.gidMappings) encodeIDMapping(x, w.uint32(58).fork()), w.ldelim();
  if (m.recursiveReadOnly) w.uint32(64).bool(m.recursiveReadOnly);
  if (m.image) encodeImageSpec(m.image, w.uint32(74).fork()), w.ldelim();
  if (m.imageSubPath) w.uint32(82).string(m.imageSubPath);
}
function decodeMount(r, end, m = { containerPath: '', hostPath: '', readonly: false, selinuxRelabel: false, propagation: 0, uidMappings: [], gidMappings: [], recursiveReadOnly: false, image: null, imageSubPath: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerPath = r.stringVerify(); break;
      case 18: m.hostPath = r.stringVerify(); break;
      case 24: m.readonly = r.bool(); break;
      case 32: m.selinuxRelabel = r.bool(); break;
      case 40: m.propagation = r.int32(); break;
      case 50: m.uidMappings.push(decodeIDMapping(r, ahead(r))); break;
      case 58: m.gidMappings.push(decodeIDMapping(r, ahead(r))); break;
      case 64: m.recursiveReadOnly = r.bool(); break;
      case 74: m.image = decodeImageSpec(r, ahead(r), m.image ?? undefined); break;
      case 82: m.imageSubPath = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('Mount runs past its end');
  return m;
}
export const Mount = codec('Mount', encodeMount, decodeMount);

function encodeIDMapping(m, w) {
  if (m.hostId) w.uint32(8).uint32(m.hostId);
  if (m.containerId) w.uint32(16).uint32(m.containerId);
  if (m.length) w.uint32(24).uint32(m.length);
}
function decodeIDMapping(r, end, m = { hostId: 0, containerId: 0, length: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.hostId = r.uint32(); break;
      case 16: m.containerId = r.uint32(); break;
      case 24: m.length = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('IDMapping runs past its end');
  return m;
}
export const IDMapping = codec('IDMapping', encodeIDMapping, decodeIDMapping);

export const NamespaceMode = Object.freeze({ POD: 0, CONTAINER: 1, NODE: 2, TARGET: 3 });

function encodeUserNamespace(m, w) {
  if (m.mode) w.uint32(8).int32(m.mode);
  if (m.uids) for (const x of m.uids) encodeIDMapping(x, w.uint32(18).fork()), w.ldelim();
  if (m.gids) for (const x of m.gids) encodeIDMapping(x, w.uint32(26).fork()), w.ldelim();
}
function decodeUserNamespace(r, end, m = { mode: 0, uids: [], gids: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.mode = r.int32(); break;
      case 18: m.uids.push(decodeIDMapping(r, ahead(r))); break;
      case 26: m.gids.push(decodeIDMapping(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('UserNamespace runs past its end');
  return m;
}
export const UserNamespace = codec('UserNamespace', encodeUserNamespace, decodeUserNamespace);

function encodeNamespaceOption(m, w) {
  if (m.network) w.uint32(8).int32(m.network);
  if (m.pid) w.uint32(16).int32(m.pid);
  if (m.ipc) w.uint32(24).int32(m.ipc);
  if (m.targetId) w.uint32(34).string(m.targetId);
  if (m.usernsOptions) encodeUserNamespace(m.usernsOptions, w.uint32(42).fork()), w.ldelim();
}
function decodeNamespaceOption(r, end, m = { network: 0, pid: 0, ipc: 0, targetId: '', usernsOptions: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.network = r.int32(); break;
      case 16: m.pid = r.int32(); break;
      case 24: m.ipc = r.int32(); break;
      case 34: m.targetId = r.stringVerify(); break;
      case 42: m.usernsOptions = decodeUserNamespace(r, ahead(r), m.usernsOptions ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('NamespaceOption runs past its end');
  return m;
}
export const NamespaceOption = codec('NamespaceOption', encodeNamespaceOption, decodeNamespaceOption);

export const SupplementalGroupsPolicy = Object.freeze({ Merge: 0, Strict: 1 });

function encodeInt64Value(m, w) {
  if (m.value) w.uint32(8).int64(bits(m.value));
}
function decodeInt64Value(r, end, m = { value: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = int64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('Int64Value runs past its end');
  return m;
}
export const Int64Value = codec('Int64Value', encodeInt64Value, decodeInt64Value);

function encodeLinuxSandboxSecurityContext(m, w) {
  if (m.namespaceOptions) encodeNamespaceOption(m.namespaceOptions, w.uint32(10).fork()), w.ldelim();
  if (m.selinuxOptions) encodeSELinuxOption(m.selinuxOptions, w.uint32(18).fork()), w.ldelim();
  if (m.runAsUser) encodeInt64Value(m.runAsUser, w.uint32(26).fork()), w.ldelim();
  if (m.runAsGroup) encodeInt64Value(m.runAsGroup, w.uint32(66).fork()), w.ldelim();
  if (m.readonlyRootfs) w.uint32(32).bool(m.readonlyRootfs);
  if (m.supplementalGroups?.length) { w.uint32(42).fork(); for (const x of m.supplementalGroups) w.int64(bits(x)); w.ldelim(); }
  if (m.supplementalGroupsPolicy) w.uint32(88).int32(m.supplementalGroupsPolicy);
  if (m.privileged) w.uint32(48).bool(m.privileged);
  if (m.seccomp) encodeSecurityProfile(m.seccomp, w.uint32(74).fork()), w.ldelim();
  if (m.apparmor) encodeSecurityProfile(m.apparmor, w.uint32(82).fork()), w.ldelim();
  if (m.seccompProfilePath) w.uint32(58).string(m.seccompProfilePath);
}
function decodeLinuxSandboxSecurityContext(r, end, m = { namespaceOptions: null, selinuxOptions: null, runAsUser: null, runAsGroup: null, readonlyRootfs: false, supplementalGroups: [], supplementalGroupsPolicy: 0, privileged: false, seccomp: null, apparmor: null, seccompProfilePath: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.namespaceOptions = decodeNamespaceOption(r, ahead(r), m.namespaceOptions ?? undefined); break;
      case 18: m.selinuxOptions = decodeSELinuxOption(r, ahead(r), m.selinuxOptions ?? undefined); break;
      case 26: m.runAsUser = decodeInt64Value(r, ahead(r), m.runAsUser ?? undefined); break;
      case 66: m.runAsGroup = decodeInt64Value(r, ahead(r), m.runAsGroup ?? undefined); break;
      case 32: m.readonlyRootfs = r.bool(); break;
      case 42: for (const e = ahead(r); r.pos < e; ) m.supplementalGroups.push(int64(r)); break;
      case 40: m.supplementalGroups.push(int64(r)); break;
      case 88: m.supplementalGroupsPolicy = r.int32(); break;
      case 48: m.privileged = r.bool(); break;
      case 74: m.seccomp = decodeSecurityProfile(r, ahead(r), m.seccomp ?? undefined); break;
      case 82: m.apparmor = decodeSecurityProfile(r, ahead(r), m.apparmor ?? undefined); break;
      case 58: m.seccompProfilePath = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LinuxSandboxSecurityContext runs past its end');
  return m;
}
export const LinuxSandboxSecurityContext = codec('LinuxSandboxSecurityContext', encodeLinuxSandboxSecurityContext, decodeLinuxSandboxSecurityContext);

export const SecurityProfile_ProfileType = Object.freeze({ RuntimeDefault: 0, Unconfined: 1, Localhost: 2 });

function encodeSecurityProfile(m, w) {
  if (m.profileType) w.uint32(8).int32(m.profileType);
  if (m.localhostRef) w.uint32(18).string(m.localhostRef);
}
function decodeSecurityProfile(r, end, m = { profileType: 0, localhostRef: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.profileType = r.int32(); break;
      case 18: m.localhostRef = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('SecurityProfile runs past its end');
  return m;
}
export const SecurityProfile = codec('SecurityProfile', encodeSecurityProfile, decodeSecurityProfile);

function encodeLinuxPodSandboxConfig(m, w) {
  if (m.cgroupParent) w.uint32(10).string(m.cgroupParent);
  if (m.securityContext) encodeLinuxSandboxSecurityContext(m.securityContext, w.uint32(18).fork()), w.ldelim();
  if (m.sysctls) writeMap(w, 26, m.sysctls);
  if (m.overhead) encodeLinuxContainerResources(m.overhead, w.uint32(34).fork()), w.ldelim();
  if (m.resources) encodeLinuxContainerResources(m.resources, w.uint32(42).fork()), w.ldelim();
}
function decodeLinuxPodSandboxConfig(r, end, m = { cgroupParent: '', securityContext: null, sysctls: {}, overhead: null, resources: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.cgroupParent = r.stringVerify(); break;
      case 18: m.securityContext = decodeLinuxSandboxSecurityContext(r, ahead(r), m.securityContext ?? undefined); break;
      case 26: readEntry(r, m.sysctls); break;
      case 34: m.overhead = decodeLinuxContainerResources(r, ahead(r), m.overhead ?? undefined); break;
      case 42: m.resources = decodeLinuxContainerResources(r, ahead(r), m.resources ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LinuxPodSandboxConfig runs past its end');
  return m;
}
export const LinuxPodSandboxConfig = codec('LinuxPodSandboxConfig', encodeLinuxPodSandboxConfig, decodeLinuxPodSandboxConfig);

function encodePodSandboxMetadata(m, w) {
  if (m.name) w.uint32(10).string(m.name);
  if (m.uid) w.uint32(18).string(m.uid);
  if (m.namespace) w.uint32(26).string(m.namespace);
  if (m.attempt) w.uint32(32).uint32(m.attempt);
}
function decodePodSandboxMetadata(r, end, m = { name: '', uid: '', namespace: '', attempt: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = r.stringVerify(); break;
      case 18: m.uid = r.stringVerify(); break;
      case 26: m.namespace = r.stringVerify(); break;
      case 32: m.attempt = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxMetadata runs past its end');
  return m;
}
export const PodSandboxMetadata = codec('PodSandboxMetadata', encodePodSandboxMetadata, decodePodSandboxMetadata);

function encodePodSandboxConfig(m, w) {
  if (m.metadata) encodePodSandboxMetadata(m.metadata, w.uint32(10).fork()), w.ldelim();
  if (m.hostname) w.uint32(18).string(m.hostname);
  if (m.logDirectory) w.uint32(26).string(m.logDirectory);
  if (m.dnsConfig) encodeDNSConfig(m.dnsConfig, w.uint32(34).fork()), w.ldelim();
  if (m.portMappings) for (const x of m.portMappings) encodePortMapping(x, w.uint32(42).fork()), w.ldelim();
  if (m.labels) writeMap(w, 50, m.labels);
  if (m.annotations) writeMap(w, 58, m.annotations);
  if (m.linux) encodeLinuxPodSandboxConfig(m.linux, w.uint32(66).fork()), w.ldelim();
  if (m.windows) encodeWindowsPodSandboxConfig(m.windows, w.uint32(74).fork()), w.ldelim();
}
function decodePodSandboxConfig(r, end, m = { metadata: null, hostname: '', logDirectory: '', dnsConfig: null, portMappings: [], labels: {}, annotations: {}, linux: null, windows: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.metadata = decodePodSandboxMetadata(r, ahead(r), m.metadata ?? undefined); break;
      case 18: m.hostname = r.stringVerify(); break;
      case 26: m.logDirectory = r.stringVerify(); break;
      case 34: m.dnsConfig = decodeDNSConfig(r, ahead(r), m.dnsConfig ?? undefined); break;
      case 42: m.portMappings.push(decodePortMapping(r, ahead(r))); break;
      case 50: readEntry(r, m.labels); break;
      case 58: readEntry(r, m.annotations); break;
      case 66: m.linux = decodeLinuxPodSandboxConfig(r, ahead(r), m.linux ?? undefined); break;
      case 74: m.windows = decodeWindowsPodSandboxConfig(r, ahead(r), m.windows ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxConfig runs past its end');
  return m;
}
export const PodSandboxConfig = codec('PodSandboxConfig', encodePodSandboxConfig, decodePodSandboxConfig);

function encodeRunPodSandboxRequest(m, w) {
  if (m.config) encodePodSandboxConfig(m.config, w.uint32(10).fork()), w.ldelim();
  if (m.runtimeHandler) w.uint32(18).string(m.runtimeHandler);
}
function decodeRunPodSandboxRequest(r, end, m = { config: null, runtimeHandler: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.config = decodePodSandboxConfig(r, ahead(r), m.config ?? undefined); break;
      case 18: m.runtimeHandler = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RunPodSandboxRequest runs past its end');
  return m;
}
export const RunPodSandboxRequest = codec('RunPodSandboxRequest', encodeRunPodSandboxRequest, decodeRunPodSandboxRequest);

function encodeRunPodSandboxResponse(m, w) {
  if (m.podSandboxId) w.uint32(10).string(m.podSandboxId);
}
function decodeRunPodSandboxResponse(r, end, m = { podSandboxId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RunPodSandboxResponse runs past its end');
  return m;
}
export const RunPodSandboxResponse = codec('RunPodSandboxResponse', encodeRunPodSandboxResponse, decodeRunPodSandboxResponse);

function encodeStopPodSandboxRequest(m, w) {
  if (m.podSandboxId) w.uint32(10).string(m.podSandboxId);
}
function decodeStopPodSandboxRequest(r, end, m = { podSandboxId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StopPodSandboxRequest runs past its end');
  return m;
}
export const StopPodSandboxRequest = codec('StopPodSandboxRequest', encodeStopPodSandboxRequest, decodeStopPodSandboxRequest);

function encodeStopPodSandboxResponse(m, w) {
}
function decodeStopPodSandboxResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StopPodSandboxResponse runs past its end');
  return m;
}
export const StopPodSandboxResponse = codec('StopPodSandboxResponse', encodeStopPodSandboxResponse, decodeStopPodSandboxResponse);

function encodeRemovePodSandboxRequest(m, w) {
  if (m.podSandboxId) w.uint32(10).string(m.podSandboxId);
}
function decodeRemovePodSandboxRequest(r, end, m = { podSandboxId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RemovePodSandboxRequest runs past its end');
  return m;
}
export const RemovePodSandboxRequest = codec('RemovePodSandboxRequest', encodeRemovePodSandboxRequest, decodeRemovePodSandboxRequest);

function encodeRemovePodSandboxResponse(m, w) {
}
function decodeRemovePodSandboxResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RemovePodSandboxResponse runs past its end');
  return m;
}
export const RemovePodSandboxResponse = codec('RemovePodSandboxResponse', encodeRemovePodSandboxResponse, decodeRemovePodSandboxResponse);

function encodePodSandboxStatusRequest(m, w) {
  if (m.podSandboxId) w.uint32(10).string(m.podSandboxId);
  if (m.verbose) w.uint32(16).bool(m.verbose);
}
function decodePodSandboxStatusRequest(r, end, m = { podSandboxId: '', verbose: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = r.stringVerify(); break;
      case 16: m.verbose = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxStatusRequest runs past its end');
  return m;
}
export const PodSandboxStatusRequest = codec('PodSandboxStatusRequest', encodePodSandboxStatusRequest, decodePodSandboxStatusRequest);

function encodePodIP(m, w) {
  if (m.ip) w.uint32(10).string(m.ip);
}
function decodePodIP(r, end, m = { ip: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.ip = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodIP runs past its end');
  return m;
}
export const PodIP = codec('PodIP', encodePodIP, decodePodIP);

function encodePodSandboxNetworkStatus(m, w) {
  if (m.ip) w.uint32(10).string(m.ip);
  if (m.additionalIps) for (const x of m.additionalIps) encodePodIP(x, w.uint32(18).fork()), w.ldelim();
}
function decodePodSandboxNetworkStatus(r, end, m = { ip: '', additionalIps: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.ip = r.stringVerify(); break;
      case 18: m.additionalIps.push(decodePodIP(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxNetworkStatus runs past its end');
  return m;
}
export const PodSandboxNetworkStatus = codec('PodSandboxNetworkStatus', encodePodSandboxNetworkStatus, decodePodSandboxNetworkStatus);

function encodeNamespace(m, w) {
  if (m.options) encodeNamespaceOption(m.options, w.uint32(18).fork()), w.ldelim();
}
function decodeNamespace(r, end, m = { options: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 18: m.options = decodeNamespaceOption(r, ahead(r), m.options ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('Namespace runs past its end');
  return m;
}
export const Namespace = codec('Namespace', encodeNamespace, decodeNamespace);

function encodeLinuxPodSandboxStatus(m, w) {
  if (m.namespaces) encodeNamespace(m.namespaces, w.uint32(10).fork()), w.ldelim();
}
function decodeLinuxPodSandboxStatus(r, end, m = { namespaces: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.namespaces = decodeNamespace(r, ahead(r), m.namespaces ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LinuxPodSandboxStatus runs past its end');
  return m;
}
export const LinuxPodSandboxStatus = codec('LinuxPodSandboxStatus', encodeLinuxPodSandboxStatus, decodeLinuxPodSandboxStatus);

export const PodSandboxState = Object.freeze({ SANDBOX_READY: 0, SANDBOX_NOTREADY: 1 });

function encodePodSandboxStatus(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.metadata) encodePodSandboxMetadata(m.metadata, w.uint32(18).fork()), w.ldelim();
  if (m.state) w.uint32(24).int32(m.state);
  if (m.createdAt) w.uint32(32).int64(bits(m.createdAt));
  if (m.network) encodePodSandboxNetworkStatus(m.network, w.uint32(42).fork()), w.ldelim();
  if (m.linux) encodeLinuxPodSandboxStatus(m.linux, w.uint32(50).fork()), w.ldelim();
  if (m.labels) writeMap(w, 58, m.labels);
  if (m.annotations) writeMap(w, 66, m.annotations);
  if (m.runtimeHandler) w.uint32(74).string(m.runtimeHandler);
}
function decodePodSandboxStatus(r, end, m = { id: '', metadata: null, state: 0, createdAt: 0n, network: null, linux: null, labels: {}, annotations: {}, runtimeHandler: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.metadata = decodePodSandboxMetadata(r, ahead(r), m.metadata ?? undefined); break;
      case 24: m.state = r.int32(); break;
      case 32: m.createdAt = int64(r); break;
      case 42: m.network = decodePodSandboxNetworkStatus(r, ahead(r), m.network ?? undefined); break;
      case 50: m.linux = decodeLinuxPodSandboxStatus(r, ahead(r), m.linux ?? undefined); break;
      case 58: readEntry(r, m.labels); break;
      case 66: readEntry(r, m.annotations); break;
      case 74: m.runtimeHandler = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxStatus runs past its end');
  return m;
}
export const PodSandboxStatus = codec('PodSandboxStatus', encodePodSandboxStatus, decodePodSandboxStatus);

function encodePodSandboxStatusResponse(m, w) {
  if (m.status) encodePodSandboxStatus(m.status, w.uint32(10).fork()), w.ldelim();
  if (m.info) writeMap(w, 18, m.info);
  if (m.containersStatuses) for (const x of m.containersStatuses) encodeContainerStatus(x, w.uint32(26).fork()), w.ldelim();
  if (m.timestamp) w.uint32(32).int64(bits(m.timestamp));
}
function decodePodSandboxStatusResponse(r, end, m = { status: null, info: {}, containersStatuses: [], timestamp: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.status = decodePodSandboxStatus(r, ahead(r), m.status ?? undefined); break;
      case 18: readEntry(r, m.info); break;
      case 26: m.containersStatuses.push(decodeContainerStatus(r, ahead(r))); break;
      case 32: m.timestamp = int64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxStatusResponse runs past its end');
  return m;
}
export const PodSandboxStatusResponse = codec('PodSandboxStatusResponse', encodePodSandboxStatusResponse, decodePodSandboxStatusResponse);

function encodePodSandboxStateValue(m, w) {
  if (m.state) w.uint32(8).int32(m.state);
}
function decodePodSandboxStateValue(r, end, m = { state: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.state = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxStateValue runs past its end');
  return m;
}
export const PodSandboxStateValue = codec('PodSandboxStateValue', encodePodSandboxStateValue, decodePodSandboxStateValue);

function encodePodSandboxFilter(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.state) encodePodSandboxStateValue(m.state, w.uint32(18).fork()), w.ldelim();
  if (m.labelSelector) writeMap(w, 26, m.labelSelector);
}
function decodePodSandboxFilter(r, end, m = { id: '', state: null, labelSelector: {} }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.state = decodePodSandboxStateValue(r, ahead(r), m.state ?? undefined); break;
      case 26: readEntry(r, m.labelSelector); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxFilter runs past its end');
  return m;
}
export const PodSandboxFilter = codec('PodSandboxFilter', encodePodSandboxFilter, decodePodSandboxFilter);

function encodeListPodSandboxRequest(m, w) {
  if (m.filter) encodePodSandboxFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeListPodSandboxRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodePodSandboxFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListPodSandboxRequest runs past its end');
  return m;
}
export const ListPodSandboxRequest = codec('ListPodSandboxRequest', encodeListPodSandboxRequest, decodeListPodSandboxRequest);

function encodePodSandbox(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.metadata) encodePodSandboxMetadata(m.metadata, w.uint32(18).fork()), w.ldelim();
  if (m.state) w.uint32(24).int32(m.state);
  if (m.createdAt) w.uint32(32).int64(bits(m.createdAt));
  if (m.labels) writeMap(w, 42, m.labels);
  if (m.annotations) writeMap(w, 50, m.annotations);
  if (m.runtimeHandler) w.uint32(58).string(m.runtimeHandler);
}
function decodePodSandbox(r, end, m = { id: '', metadata: null, state: 0, createdAt: 0n, labels: {}, annotations: {}, runtimeHandler: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.metadata = decodePodSandboxMetadata(r, ahead(r), m.metadata ?? undefined); break;
      case 24: m.state = r.int32(); break;
      case 32: m.createdAt = int64(r); break;
      case 42: readEntry(r, m.labels); break;
      case 50: readEntry(r, m.annotations); break;
      case 58: m.runtimeHandler = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandbox runs past its end');
  return m;
}
export const PodSandbox = codec('PodSandbox', encodePodSandbox, decodePodSandbox);

function encodeListPodSandboxResponse(m, w) {
  if (m.items) for (const x of m.items) encodePodSandbox(x, w.uint32(10).fork()), w.ldelim();
}
function decodeListPodSandboxResponse(r, end, m = { items: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.items.push(decodePodSandbox(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListPodSandboxResponse runs past its end');
  return m;
}
export const ListPodSandboxResponse = codec('ListPodSandboxResponse', encodeListPodSandboxResponse, decodeListPodSandboxResponse);

function encodeStreamPodSandboxesRequest(m, w) {
  if (m.filter) encodePodSandboxFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamPodSandboxesRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodePodSandboxFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamPodSandboxesRequest runs past its end');
  return m;
}
export const StreamPodSandboxesRequest = codec('StreamPodSandboxesRequest', encodeStreamPodSandboxesRequest, decodeStreamPodSandboxesRequest);

function encodeStreamPodSandboxesResponse(m, w) {
  if (m.podSandboxes) for (const x of m.podSandboxes) encodePodSandbox(x, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamPodSandboxesResponse(r, end, m = { podSandboxes: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxes.push(decodePodSandbox(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamPodSandboxesResponse runs past its end');
  return m;
}
export const StreamPodSandboxesResponse = codec('StreamPodSandboxesResponse', encodeStreamPodSandboxesResponse, decodeStreamPodSandboxesResponse);

function encodePodSandboxStatsRequest(m, w) {
  if (m.podSandboxId) w.uint32(10).string(m.podSandboxId);
}
function decodePodSandboxStatsRequest(r, end, m = { podSandboxId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxStatsRequest runs past its end');
  return m;
}
export const PodSandboxStatsRequest = codec('PodSandboxStatsRequest', encodePodSandboxStatsRequest, decodePodSandboxStatsRequest);

function encodePodSandboxStatsResponse(m, w) {
  if (m.stats) encodePodSandboxStats(m.stats, w.uint32(10).fork()), w.ldelim();
}
function decodePodSandboxStatsResponse(r, end, m = { stats: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stats = decodePodSandboxStats(r, ahead(r), m.stats ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxStatsResponse runs past its end');
  return m;
}
export const PodSandboxStatsResponse = codec('PodSandboxStatsResponse', encodePodSandboxStatsResponse, decodePodSandboxStatsResponse);

function encodePodSandboxStatsFilter(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.labelSelector) writeMap(w, 18, m.labelSelector);
}
function decodePodSandboxStatsFilter(r, end, m = { id: '', labelSelector: {} }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: readEntry(r, m.labelSelector); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxStatsFilter runs past its end');
  return m;
}
export const PodSandboxStatsFilter = codec('PodSandboxStatsFilter', encodePodSandboxStatsFilter, decodePodSandboxStatsFilter);

function encodeListPodSandboxStatsRequest(m, w) {
  if (m.filter) encodePodSandboxStatsFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeListPodSandboxStatsRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodePodSandboxStatsFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListPodSandboxStatsRequest runs past its end');
  return m;
}
export const ListPodSandboxStatsRequest = codec('ListPodSandboxStatsRequest', encodeListPodSandboxStatsRequest, decodeListPodSandboxStatsRequest);

function encodeListPodSandboxStatsResponse(m, w) {
  if (m.stats) for (const x of m.stats) encodePodSandboxStats(x, w.uint32(10).fork()), w.ldelim();
}
function decodeListPodSandboxStatsResponse(r, end, m = { stats: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stats.push(decodePodSandboxStats(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListPodSandboxStatsResponse runs past its end');
  return m;
}
export const ListPodSandboxStatsResponse = codec('ListPodSandboxStatsResponse', encodeListPodSandboxStatsResponse, decodeListPodSandboxStatsResponse);

function encodeStreamPodSandboxStatsRequest(m, w) {
  if (m.filter) encodePodSandboxStatsFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamPodSandboxStatsRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodePodSandboxStatsFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamPodSandboxStatsRequest runs past its end');
  return m;
}
export const StreamPodSandboxStatsRequest = codec('StreamPodSandboxStatsRequest', encodeStreamPodSandboxStatsRequest, decodeStreamPodSandboxStatsRequest);

function encodeStreamPodSandboxStatsResponse(m, w) {
  if (m.podSandboxStats) for (const x of m.podSandboxStats) encodePodSandboxStats(x, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamPodSandboxStatsResponse(r, end, m = { podSandboxStats: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxStats.push(decodePodSandboxStats(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamPodSandboxStatsResponse runs past its end');
  return m;
}
export const StreamPodSandboxStatsResponse = codec('StreamPodSandboxStatsResponse', encodeStreamPodSandboxStatsResponse, decodeStreamPodSandboxStatsResponse);

function encodePodSandboxAttributes(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.metadata) encodePodSandboxMetadata(m.metadata, w.uint32(18).fork()), w.ldelim();
  if (m.labels) writeMap(w, 26, m.labels);
  if (m.annotations) writeMap(w, 34, m.annotations);
}
function decodePodSandboxAttributes(r, end, m = { id: '', metadata: null, labels: {}, annotations: {} }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.metadata = decodePodSandboxMetadata(r, ahead(r), m.metadata ?? undefined); break;
      case 26: readEntry(r, m.labels); break;
      case 34: readEntry(r, m.annotations); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxAttributes runs past its end');
  return m;
}
export const PodSandboxAttributes = codec('PodSandboxAttributes', encodePodSandboxAttributes, decodePodSandboxAttributes);

function encodePodSandboxStats(m, w) {
  if (m.attributes) encodePodSandboxAttributes(m.attributes, w.uint32(10).fork()), w.ldelim();
  if (m.linux) encodeLinuxPodSandboxStats(m.linux, w.uint32(18).fork()), w.ldelim();
  if (m.windows) encodeWindowsPodSandboxStats(m.windows, w.uint32(26).fork()), w.ldelim();
}
function decodePodSandboxStats(r, end, m = { attributes: null, linux: null, windows: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.attributes = decodePodSandboxAttributes(r, ahead(r), m.attributes ?? undefined); break;
      case 18: m.linux = decodeLinuxPodSandboxStats(r, ahead(r), m.linux ?? undefined); break;
      case 26: m.windows = decodeWindowsPodSandboxStats(r, ahead(r), m.windows ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxStats runs past its end');
  return m;
}
export const PodSandboxStats = codec('PodSandboxStats', encodePodSandboxStats, decodePodSandboxStats);

function encodeLinuxPodSandboxStats(m, w) {
  if (m.cpu) encodeCpuUsage(m.cpu, w.uint32(10).fork()), w.ldelim();
  if (m.memory) encodeMemoryUsage(m.memory, w.uint32(18).fork()), w.ldelim();
  if (m.network) encodeNetworkUsage(m.network, w.uint32(26).fork()), w.ldelim();
  if (m.process) encodeProcessUsage(m.process, w.uint32(34).fork()), w.ldelim();
  if (m.containers) for (const x of m.containers) encodeContainerStats(x, w.uint32(42).fork()), w.ldelim();
  if (m.io) encodeIoUsage(m.io, w.uint32(50).fork()), w.ldelim();
}
function decodeLinuxPodSandboxStats(r, end, m = { cpu: null, memory: null, network: null, process: null, containers: [], io: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.cpu = decodeCpuUsage(r, ahead(r), m.cpu ?? undefined); break;
      case 18: m.memory = decodeMemoryUsage(r, ahead(r), m.memory ?? undefined); break;
      case 26: m.network = decodeNetworkUsage(r, ahead(r), m.network ?? undefined); break;
      case 34: m.process = decodeProcessUsage(r, ahead(r), m.process ?? undefined); break;
      case 42: m.containers.push(decodeContainerStats(r, ahead(r))); break;
      case 50: m.io = decodeIoUsage(r, ahead(r), m.io ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LinuxPodSandboxStats runs past its end');
  return m;
}
export const LinuxPodSandboxStats = codec('LinuxPodSandboxStats', encodeLinuxPodSandboxStats, decodeLinuxPodSandboxStats);

function encodeWindowsPodSandboxStats(m, w) {
  if (m.cpu) encodeWindowsCpuUsage(m.cpu, w.uint32(10).fork()), w.ldelim();
  if (m.memory) encodeWindowsMemoryUsage(m.memory, w.uint32(18).fork()), w.ldelim();
  if (m.network) encodeWindowsNetworkUsage(m.network, w.uint32(26).fork()), w.ldelim();
  if (m.process) encodeWindowsProcessUsage(m.process, w.uint32(34).fork()), w.ldelim();
  if (m.containers) for (const x of m.containers) encodeWindowsContainerStats(x, w.uint32(42).fork()), w.ldelim();
}
function decodeWindowsPodSandboxStats(r, end, m = { cpu: null, memory: null, network: null, process: null, containers: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.cpu = decodeWindowsCpuUsage(r, ahead(r), m.cpu ?? undefined); break;
      case 18: m.memory = decodeWindowsMemoryUsage(r, ahead(r), m.memory ?? undefined); break;
      case 26: m.network = decodeWindowsNetworkUsage(r, ahead(r), m.network ?? undefined); break;
      case 34: m.process = decodeWindowsProcessUsage(r, ahead(r), m.process ?? undefined); break;
      case 42: m.containers.push(decodeWindowsContainerStats(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsPodSandboxStats runs past its end');
  return m;
}
export const WindowsPodSandboxStats = codec('WindowsPodSandboxStats', encodeWindowsPodSandboxStats, decodeWindowsPodSandboxStats);

function encodeNetworkUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.defaultInterface) encodeNetworkInterfaceUsage(m.defaultInterface, w.uint32(18).fork()), w.ldelim();
  if (m.interfaces) for (const x of m.interfaces) encodeNetworkInterfaceUsage(x, w.uint32(26).fork()), w.ldelim();
}
function decodeNetworkUsage(r, end, m = { timestamp: 0n, defaultInterface: null, interfaces: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.defaultInterface = decodeNetworkInterfaceUsage(r, ahead(r), m.defaultInterface ?? undefined); break;
      case 26: m.interfaces.push(decodeNetworkInterfaceUsage(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('NetworkUsage runs past its end');
  return m;
}
export const NetworkUsage = codec('NetworkUsage', encodeNetworkUsage, decodeNetworkUsage);

function encodeWindowsNetworkUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.defaultInterface) encodeWindowsNetworkInterfaceUsage(m.defaultInterface, w.uint32(18).fork()), w.ldelim();
  if (m.interfaces) for (const x of m.interfaces) encodeWindowsNetworkInterfaceUsage(x, w.uint32(26).fork()), w.ldelim();
}
function decodeWindowsNetworkUsage(r, end, m = { timestamp: 0n, defaultInterface: null, interfaces: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.defaultInterface = decodeWindowsNetworkInterfaceUsage(r, ahead(r), m.defaultInterface ?? undefined); break;
      case 26: m.interfaces.push(decodeWindowsNetworkInterfaceUsage(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsNetworkUsage runs past its end');
  return m;
}
export const WindowsNetworkUsage = codec('WindowsNetworkUsage', encodeWindowsNetworkUsage, decodeWindowsNetworkUsage);

function encodeNetworkInterfaceUsage(m, w) {
  if (m.name) w.uint32(10).string(m.name);
  if (m.rxBytes) encodeUInt64Value(m.rxBytes, w.uint32(18).fork()), w.ldelim();
  if (m.rxErrors) encodeUInt64Value(m.rxErrors, w.uint32(26).fork()), w.ldelim();
  if (m.txBytes) encodeUInt64Value(m.txBytes, w.uint32(34).fork()), w.ldelim();
  if (m.txErrors) encodeUInt64Value(m.txErrors, w.uint32(42).fork()), w.ldelim();
}
function decodeNetworkInterfaceUsage(r, end, m = { name: '', rxBytes: null, rxErrors: null, txBytes: null, txErrors: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = r.stringVerify(); break;
      case 18: m.rxBytes = decodeUInt64Value(r, ahead(r), m.rxBytes ?? undefined); break;
      case 26: m.rxErrors = decodeUInt64Value(r, ahead(r), m.rxErrors ?? undefined); break;
      case 34: m.txBytes = decodeUInt64Value(r, ahead(r), m.txBytes ?? undefined); break;
      case 42: m.txErrors = decodeUInt64Value(r, ahead(r), m.txErrors ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('NetworkInterfaceUsage runs past its end');
  return m;
}
export const NetworkInterfaceUsage = codec('NetworkInterfaceUsage', encodeNetworkInterfaceUsage, decodeNetworkInterfaceUsage);

function encodeWindowsNetworkInterfaceUsage(m, w) {
  if (m.name) w.uint32(10).string(m.name);
  if (m.rxBytes) encodeUInt64Value(m.rxBytes, w.uint32(18).fork()), w.ldelim();
  if (m.rxPacketsDropped) encodeUInt64Value(m.rxPacketsDropped, w.uint32(26).fork()), w.ldelim();
  if (m.txBytes) encodeUInt64Value(m.txBytes, w.uint32(34).fork()), w.ldelim();
  if (m.txPacketsDropped) encodeUInt64Value(m.txPacketsDropped, w.uint32(42).fork()), w.ldelim();
}
function decodeWindowsNetworkInterfaceUsage(r, end, m = { name: '', rxBytes: null, rxPacketsDropped: null, txBytes: null, txPacketsDropped: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = r.stringVerify(); break;
      case 18: m.rxBytes = decodeUInt64Value(r, ahead(r), m.rxBytes ?? undefined); break;
      case 26: m.rxPacketsDropped = decodeUInt64Value(r, ahead(r), m.rxPacketsDropped ?? undefined); break;
      case 34: m.txBytes = decodeUInt64Value(r, ahead(r), m.txBytes ?? undefined); break;
      case 42: m.txPacketsDropped = decodeUInt64Value(r, ahead(r), m.txPacketsDropped ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsNetworkInterfaceUsage runs past its end');
  return m;
}
export const WindowsNetworkInterfaceUsage = codec('WindowsNetworkInterfaceUsage', encodeWindowsNetworkInterfaceUsage, decodeWindowsNetworkInterfaceUsage);

function encodeProcessUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.processCount) encodeUInt64Value(m.processCount, w.uint32(18).fork()), w.ldelim();
}
function decodeProcessUsage(r, end, m = { timestamp: 0n, processCount: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.processCount = decodeUInt64Value(r, ahead(r), m.processCount ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ProcessUsage runs past its end');
  return m;
}
export const ProcessUsage = codec('ProcessUsage', encodeProcessUsage, decodeProcessUsage);

function encodeWindowsProcessUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.processCount) encodeUInt64Value(m.processCount, w.uint32(18).fork()), w.ldelim();
}
function decodeWindowsProcessUsage(r, end, m = { timestamp: 0n, processCount: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.processCount = decodeUInt64Value(r, ahead(r), m.processCount ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsProcessUsage runs past its end');
  return m;
}
export const WindowsProcessUsage = codec('WindowsProcessUsage', encodeWindowsProcessUsage, decodeWindowsProcessUsage);

function encodeImageSpec(m, w) {
  if (m.image) w.uint32(10).string(m.image);
  if (m.annotations) writeMap(w, 18, m.annotations);
  if (m.userSpecifiedImage) w.uint32(146).string(m.userSpecifiedImage);
  if (m.runtimeHandler) w.uint32(154).string(m.runtimeHandler);
  if (m.imageRef) w.uint32(162).string(m.imageRef);
}
function decodeImageSpec(r, end, m = { image: '', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = r.stringVerify(); break;
      case 18: readEntry(r, m.annotations); break;
      case 146: m.userSpecifiedImage = r.stringVerify(); break;
      case 154: m.runtimeHandler = r.stringVerify(); break;
      case 162: m.imageRef = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ImageSpec runs past its end');
  return m;
}
export const ImageSpec = codec('ImageSpec', encodeImageSpec, decodeImageSpec);

function encodeKeyValue(m, w) {
  if (m.key) w.uint32(10).string(m.key);
  if (m.value?.length) w.uint32(18).bytes(m.value);
}
function decodeKeyValue(r, end, m = { key: '', value: EMPTY }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.key = r.stringVerify(); break;
      case 18: m.value = r.bytes(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('KeyValue runs past its end');
  return m;
}
export const KeyValue = codec('KeyValue', encodeKeyValue, decodeKeyValue);

function encodeLinuxContainerResources(m, w) {
  if (m.cpuPeriod) w.uint32(8).int64(bits(m.cpuPeriod));
  if (m.cpuQuota) w.uint32(16).int64(bits(m.cpuQuota));
  if (m.cpuShares) w.uint32(24).int64(bits(m.cpuShares));
  if (m.memoryLimitInBytes) w.uint32(32).int64(bits(m.memoryLimitInBytes));
  if (m.oomScoreAdj) w.uint32(40).int64(bits(m.oomScoreAdj));
  if (m.cpusetCpus) w.uint32(50).string(m.cpusetCpus);
  if (m.cpusetMems) w.uint32(58).string(m.cpusetMems);
  if (m.hugepageLimits) for (const x of m.hugepageLimits) encodeHugepageLimit(x, w.uint32(66).fork()), w.ldelim();
  if (m.unified) writeMap(w, 74, m.unified);
  if (m.memorySwapLimitInBytes) w.uint32(80).int64(bits(m.memorySwapLimitInBytes));
}
function decodeLinuxContainerResources(r, end, m = { cpuPeriod: 0n, cpuQuota: 0n, cpuShares: 0n, memoryLimitInBytes: 0n, oomScoreAdj: 0n, cpusetCpus: '', cpusetMems: '', hugepageLimits: [], unified: {}, memorySwapLimitInBytes: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.cpuPeriod = int64(r); break;
      case 16: m.cpuQuota = int64(r); break;
      case 24: m.cpuShares = int64(r); break;
      case 32: m.memoryLimitInBytes = int64(r); break;
      case 40: m.oomScoreAdj = int64(r); break;
      case 50: m.cpusetCpus = r.stringVerify(); break;
      case 58: m.cpusetMems = r.stringVerify(); break;
      case 66: m.hugepageLimits.push(decodeHugepageLimit(r, ahead(r))); break;
      case 74: readEntry(r, m.unified); break;
      case 80: m.memorySwapLimitInBytes = int64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LinuxContainerResources runs past its end');
  return m;
}
export const LinuxContainerResources = codec('LinuxContainerResources', encodeLinuxContainerResources, decodeLinuxContainerResources);

function encodeHugepageLimit(m, w) {
  if (m.pageSize) w.uint32(10).string(m.pageSize);
  if (m.limit) w.uint32(16).uint64(bits(m.limit));
}
function decodeHugepageLimit(r, end, m = { pageSize: '', limit: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pageSize = r.stringVerify(); break;
      case 16: m.limit = uint64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('HugepageLimit runs past its end');
  return m;
}
export const HugepageLimit = codec('HugepageLimit', encodeHugepageLimit, decodeHugepageLimit);

function encodeSELinuxOption(m, w) {
  if (m.user) w.uint32(10).string(m.user);
  if (m.role) w.uint32(18).string(m.role);
  if (m.type) w.uint32(26).string(m.type);
  if (m.level) w.uint32(34).string(m.level);
}
function decodeSELinuxOption(r, end, m = { user: '', role: '', type: '', level: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.user = r.stringVerify(); break;
      case 18: m.role = r.stringVerify(); break;
      case 26: m.type = r.stringVerify(); break;
      case 34: m.level = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('SELinuxOption runs past its end');
  return m;
}
export const SELinuxOption = codec('SELinuxOption', encodeSELinuxOption, decodeSELinuxOption);

function encodeCapability(m, w) {
  if (m.addCapabilities) for (const x of m.addCapabilities) w.uint32(10).string(x);
  if (m.dropCapabilities) for (const x of m.dropCapabilities) w.uint32(18).string(x);
  if (m.addAmbientCapabilities) for (const x of m.addAmbientCapabilities) w.uint32(26).string(x);
}
function decodeCapability(r, end, m = { addCapabilities: [], dropCapabilities: [], addAmbientCapabilities: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.addCapabilities.push(r.stringVerify()); break;
      case 18: m.dropCapabilities.push(r.stringVerify()); break;
      case 26: m.addAmbientCapabilities.push(r.stringVerify()); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('Capability runs past its end');
  return m;
}
export const Capability = codec('Capability', encodeCapability, decodeCapability);

function encodeLinuxContainerSecurityContext(m, w) {
  if (m.capabilities) encodeCapability(m.capabilities, w.uint32(10).fork()), w.ldelim();
  if (m.privileged) w.uint32(16).bool(m.privileged);
  if (m.namespaceOptions) encodeNamespaceOption(m.namespaceOptions, w.uint32(26).fork()), w.ldelim();
  if (m.selinuxOptions) encodeSELinuxOption(m.selinuxOptions, w.uint32(34).fork()), w.ldelim();
  if (m.runAsUser) encodeInt64Value(m.runAsUser, w.uint32(42).fork()), w.ldelim();
  if (m.runAsGroup) encodeInt64Value(m.runAsGroup, w.uint32(98).fork()), w.ldelim();
  if (m.runAsUsername) w.uint32(50).string(m.runAsUsername);
  if (m.readonlyRootfs) w.uint32(56).bool(m.readonlyRootfs);
  if (m.supplementalGroups?.length) { w.uint32(66).fork(); for (const x of m.supplementalGroups) w.int64(bits(x)); w.ldelim(); }
  if (m.supplementalGroupsPolicy) w.uint32(136).int32(m.supplementalGroupsPolicy);
  if (m.noNewPrivs) w.uint32(88).bool(m.noNewPrivs);
  if (m.maskedPaths) for (const x of m.maskedPaths) w.uint32(106).string(x);
  if (m.readonlyPaths) for (const x of m.readonlyPaths) w.uint32(114).string(x);
  if (m.seccomp) encodeSecurityProfile(m.seccomp, w.uint32(122).fork()), w.ldelim();
  if (m.apparmor) encodeSecurityProfile(m.apparmor, w.uint32(130).fork()), w.ldelim();
  if (m.apparmorProfile) w.uint32(74).string(m.apparmorProfile);
  if (m.seccompProfilePath) w.uint32(82).string(m.seccompProfilePath);
}
function decodeLinuxContainerSecurityContext(r, end, m = { capabilities: null, privileged: false, namespaceOptions: null, selinuxOptions: null, runAsUser: null, runAsGroup: null, runAsUsername: '', readonlyRootfs: false, supplementalGroups: [], supplementalGroupsPolicy: 0, noNewPrivs: false, maskedPaths: [], readonlyPaths: [], seccomp: null, apparmor: null, apparmorProfile: '', seccompProfilePath: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.capabilities = decodeCapability(r, ahead(r), m.capabilities ?? undefined); break;
      case 16: m.privileged = r.bool(); break;
      case 26: m.namespaceOptions = decodeNamespaceOption(r, ahead(r), m.namespaceOptions ?? undefined); break;
      case 34: m.selinuxOptions = decodeSELinuxOption(r, ahead(r), m.selinuxOptions ?? undefined); break;
      case 42: m.runAsUser = decodeInt64Value(r, ahead(r), m.runAsUser ?? undefined); break;
      case 98: m.runAsGroup = decodeInt64Value(r, ahead(r), m.runAsGroup ?? undefined); break;
      case 50: m.runAsUsername = r.stringVerify(); break;
      case 56: m.readonlyRootfs = r.bool(); break;
      case 66: for (const e = ahead(r); r.pos < e; ) m.supplementalGroups.push(int64(r)); break;
      case 64: m.supplementalGroups.push(int64(r)); break;
      case 136: m.supplementalGroupsPolicy = r.int32(); break;
      case 88: m.noNewPrivs = r.bool(); break;
      case 106: m.maskedPaths.push(r.stringVerify()); break;
      case 114: m.readonlyPaths.push(r.stringVerify()); break;
      case 122: m.seccomp = decodeSecurityProfile(r, ahead(r), m.seccomp ?? undefined); break;
      case 130: m.apparmor = decodeSecurityProfile(r, ahead(r), m.apparmor ?? undefined); break;
      case 74: m.apparmorProfile = r.stringVerify(); break;
      case 82: m.seccompProfilePath = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LinuxContainerSecurityContext runs past its end');
  return m;
}
export const LinuxContainerSecurityContext = codec('LinuxContainerSecurityContext', encodeLinuxContainerSecurityContext, decodeLinuxContainerSecurityContext);

function encodeLinuxContainerConfig(m, w) {
  if (m.resources) encodeLinuxContainerResources(m.resources, w.uint32(10).fork()), w.ldelim();
  if (m.securityContext) encodeLinuxContainerSecurityContext(m.securityContext, w.uint32(18).fork()), w.ldelim();
}
function decodeLinuxContainerConfig(r, end, m = { resources: null, securityContext: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.resources = decodeLinuxContainerResources(r, ahead(r), m.resources ?? undefined); break;
      case 18: m.securityContext = decodeLinuxContainerSecurityContext(r, ahead(r), m.securityContext ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LinuxContainerConfig runs past its end');
  return m;
}
export const LinuxContainerConfig = codec('LinuxContainerConfig', encodeLinuxContainerConfig, decodeLinuxContainerConfig);

function encodeLinuxContainerUser(m, w) {
  if (m.uid) w.uint32(8).int64(bits(m.uid));
  if (m.gid) w.uint32(16).int64(bits(m.gid));
  if (m.supplementalGroups?.length) { w.uint32(26).fork(); for (const x of m.supplementalGroups) w.int64(bits(x)); w.ldelim(); }
}
function decodeLinuxContainerUser(r, end, m = { uid: 0n, gid: 0n, supplementalGroups: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.uid = int64(r); break;
      case 16: m.gid = int64(r); break;
      case 26: for (const e = ahead(r); r.pos < e; ) m.supplementalGroups.push(int64(r)); break;
      case 24: m.supplementalGroups.push(int64(r)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LinuxContainerUser runs past its end');
  return m;
}
export const LinuxContainerUser = codec('LinuxContainerUser', encodeLinuxContainerUser, decodeLinuxContainerUser);

function encodeWindowsNamespaceOption(m, w) {
  if (m.network) w.uint32(8).int32(m.network);
}
function decodeWindowsNamespaceOption(r, end, m = { network: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.network = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsNamespaceOption runs past its end');
  return m;
}
export const WindowsNamespaceOption = codec('WindowsNamespaceOption', encodeWindowsNamespaceOption, decodeWindowsNamespaceOption);

function encodeWindowsSandboxSecurityContext(m, w) {
  if (m.runAsUsername) w.uint32(10).string(m.runAsUsername);
  if (m.credentialSpec) w.uint32(18).string(m.credentialSpec);
  if (m.hostProcess) w.uint32(24).bool(m.hostProcess);
  if (m.namespaceOptions) encodeWindowsNamespaceOption(m.namespaceOptions, w.uint32(34).fork()), w.ldelim();
}
function decodeWindowsSandboxSecurityContext(r, end, m = { runAsUsername: '', credentialSpec: '', hostProcess: false, namespaceOptions: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.runAsUsername = r.stringVerify(); break;
      case 18: m.credentialSpec = r.stringVerify(); break;
      case 24: m.hostProcess = r.bool(); break;
      case 34: m.namespaceOptions = decodeWindowsNamespaceOption(r, ahead(r), m.namespaceOptions ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsSandboxSecurityContext runs past its end');
  return m;
}
export const WindowsSandboxSecurityContext = codec('WindowsSandboxSecurityContext', encodeWindowsSandboxSecurityContext, decodeWindowsSandboxSecurityContext);

function encodeWindowsPodSandboxConfig(m, w) {
  if (m.securityContext) encodeWindowsSandboxSecurityContext(m.securityContext, w.uint32(10).fork()), w.ldelim();
}
function decodeWindowsPodSandboxConfig(r, end, m = { securityContext: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.securityContext = decodeWindowsSandboxSecurityContext(r, ahead(r), m.securityContext ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsPodSandboxConfig runs past its end');
  return m;
}
export const WindowsPodSandboxConfig = codec('WindowsPodSandboxConfig', encodeWindowsPodSandboxConfig, decodeWindowsPodSandboxConfig);

function encodeWindowsContainerSecurityContext(m, w) {
  if (m.runAsUsername) w.uint32(10).string(m.runAsUsername);
  if (m.credentialSpec) w.uint32(18).string(m.credentialSpec);
  if (m.hostProcess) w.uint32(24).bool(m.hostProcess);
}
function decodeWindowsContainerSecurityContext(r, end, m = { runAsUsername: '', credentialSpec: '', hostProcess: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.runAsUsername = r.stringVerify(); break;
      case 18: m.credentialSpec = r.stringVerify(); break;
      case 24: m.hostProcess = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsContainerSecurityContext runs past its end');
  return m;
}
export const WindowsContainerSecurityContext = codec('WindowsContainerSecurityContext', encodeWindowsContainerSecurityContext, decodeWindowsContainerSecurityContext);

function encodeWindowsContainerConfig(m, w) {
  if (m.resources) encodeWindowsContainerResources(m.resources, w.uint32(10).fork()), w.ldelim();
  if (m.securityContext) encodeWindowsContainerSecurityContext(m.securityContext, w.uint32(18).fork()), w.ldelim();
}
function decodeWindowsContainerConfig(r, end, m = { resources: null, securityContext: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.resources = decodeWindowsContainerResources(r, ahead(r), m.resources ?? undefined); break;
      case 18: m.securityContext = decodeWindowsContainerSecurityContext(r, ahead(r), m.securityContext ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsContainerConfig runs past its end');
  return m;
}
export const WindowsContainerConfig = codec('WindowsContainerConfig', encodeWindowsContainerConfig, decodeWindowsContainerConfig);

function encodeWindowsContainerResources(m, w) {
  if (m.cpuShares) w.uint32(8).int64(bits(m.cpuShares));
  if (m.cpuCount) w.uint32(16).int64(bits(m.cpuCount));
  if (m.cpuMaximum) w.uint32(24).int64(bits(m.cpuMaximum));
  if (m.memoryLimitInBytes) w.uint32(32).int64(bits(m.memoryLimitInBytes));
  if (m.rootfsSizeInBytes) w.uint32(40).int64(bits(m.rootfsSizeInBytes));
  if (m.affinityCpus) for (const x of m.affinityCpus) encodeWindowsCpuGroupAffinity(x, w.uint32(50).fork()), w.ldelim();
}
function decodeWindowsContainerResources(r, end, m = { cpuShares: 0n, cpuCount: 0n, cpuMaximum: 0n, memoryLimitInBytes: 0n, rootfsSizeInBytes: 0n, affinityCpus: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.cpuShares = int64(r); break;
      case 16: m.cpuCount = int64(r); break;
      case 24: m.cpuMaximum = int64(r); break;
      case 32: m.memoryLimitInBytes = int64(r); break;
      case 40: m.rootfsSizeInBytes = int64(r); break;
      case 50: m.affinityCpus.push(decodeWindowsCpuGroupAffinity(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsContainerResources runs past its end');
  return m;
}
export const WindowsContainerResources = codec('WindowsContainerResources', encodeWindowsContainerResources, decodeWindowsContainerResources);

function encodeWindowsCpuGroupAffinity(m, w) {
  if (m.cpuMask) w.uint32(8).uint64(bits(m.cpuMask));
  if (m.cpuGroup) w.uint32(16).uint32(m.cpuGroup);
}
function decodeWindowsCpuGroupAffinity(r, end, m = { cpuMask: 0n, cpuGroup: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.cpuMask = uint64(r); break;
      case 16: m.cpuGroup = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsCpuGroupAffinity runs past its end');
  return m;
}
export const WindowsCpuGroupAffinity = codec('WindowsCpuGroupAffinity', encodeWindowsCpuGroupAffinity, decodeWindowsCpuGroupAffinity);

function encodeContainerMetadata(m, w) {
  if (m.name) w.uint32(10).string(m.name);
  if (m.attempt) w.uint32(16).uint32(m.attempt);
}
function decodeContainerMetadata(r, end, m = { name: '', attempt: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = r.stringVerify(); break;
      case 16: m.attempt = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerMetadata runs past its end');
  return m;
}
export const ContainerMetadata = codec('ContainerMetadata', encodeContainerMetadata, decodeContainerMetadata);

function encodeDevice(m, w) {
  if (m.containerPath) w.uint32(10).string(m.containerPath);
  if (m.hostPath) w.uint32(18).string(m.hostPath);
  if (m.permissions) w.uint32(26).string(m.permissions);
}
function decodeDevice(r, end, m = { containerPath: '', hostPath: '', permissions: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerPath = r.stringVerify(); break;
      case 18: m.hostPath = r.stringVerify(); break;
      case 26: m.permissions = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('Device runs past its end');
  return m;
}
export const Device = codec('Device', encodeDevice, decodeDevice);

function encodeCDIDevice(m, w) {
  if (m.name) w.uint32(10).string(m.name);
}
function decodeCDIDevice(r, end, m = { name: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CDIDevice runs past its end');
  return m;
}
export const CDIDevice = codec('CDIDevice', encodeCDIDevice, decodeCDIDevice);

function encodeContainerConfig(m, w) {
  if (m.metadata) encodeContainerMetadata(m.metadata, w.uint32(10).fork()), w.ldelim();
  if (m.image) encodeImageSpec(m.image, w.uint32(18).fork()), w.ldelim();
  if (m.command) for (const x of m.command) w.uint32(26).string(x);
  if (m.args) for (const x of m.args) w.uint32(34).string(x);
  if (m.workingDir) w.uint32(42).string(m.workingDir);
  if (m.envs) for (const x of m.envs) encodeKeyValue(x, w.uint32(50).fork()), w.ldelim();
  if (m.mounts) for (const x of m.mounts) encodeMount(x, w.uint32(58).fork()), w.ldelim();
  if (m.devices) for (const x of m.devices) encodeDevice(x, w.uint32(66).fork()), w.ldelim();
  if (m.labels) writeMap(w, 74, m.labels);
  if (m.annotations) writeMap(w, 82, m.annotations);
  if (m.logPath) w.uint32(90).string(m.logPath);
  if (m.stdin) w.uint32(96).bool(m.stdin);
  if (m.stdinOnce) w.uint32(104).bool(m.stdinOnce);
  if (m.tty) w.uint32(112).bool(m.tty);
  if (m.linux) encodeLinuxContainerConfig(m.linux, w.uint32(122).fork()), w.ldelim();
  if (m.windows) encodeWindowsContainerConfig(m.windows, w.uint32(130).fork()), w.ldelim();
  if (m.CDIDevices) for (const x of m.CDIDevices) encodeCDIDevice(x, w.uint32(138).fork()), w.ldelim();
  if (m.stopSignal) w.uint32(144).int32(m.stopSignal);
}
function decodeContainerConfig(r, end, m = { metadata: null, image: null, command: [], args: [], workingDir: '', envs: [], mounts: [], devices: [], labels: {}, annotations: {}, logPath: '', stdin: false, stdinOnce: false, tty: false, linux: null, windows: null, CDIDevices: [], stopSignal: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.metadata = decodeContainerMetadata(r, ahead(r), m.metadata ?? undefined); break;
      case 18: m.image = decodeImageSpec(r, ahead(r), m.image ?? undefined); break;
      case 26: m.command.push(r.stringVerify()); break;
      case 34: m.args.push(r.stringVerify()); break;
      case 42: m.workingDir = r.stringVerify(); break;
      case 50: m.envs.push(decodeKeyValue(r, ahead(r))); break;
      case 58: m.mounts.push(decodeMount(r, ahead(r))); break;
      case 66: m.devices.push(decodeDevice(r, ahead(r))); break;
      case 74: readEntry(r, m.labels); break;
      case 82: readEntry(r, m.annotations); break;
      case 90: m.logPath = r.stringVerify(); break;
      case 96: m.stdin = r.bool(); break;
      case 104: m.stdinOnce = r.bool(); break;
      case 112: m.tty = r.bool(); break;
      case 122: m.linux = decodeLinuxContainerConfig(r, ahead(r), m.linux ?? undefined); break;
      case 130: m.windows = decodeWindowsContainerConfig(r, ahead(r), m.windows ?? undefined); break;
      case 138: m.CDIDevices.push(decodeCDIDevice(r, ahead(r))); break;
      case 144: m.stopSignal = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerConfig runs past its end');
  return m;
}
export const ContainerConfig = codec('ContainerConfig', encodeContainerConfig, decodeContainerConfig);

export const Signal = Object.freeze({ RUNTIME_DEFAULT: 0, SIGABRT: 1, SIGALRM: 2, SIGBUS: 3, SIGCHLD: 4, SIGCLD: 5, SIGCONT: 6, SIGFPE: 7, SIGHUP: 8, SIGILL: 9, SIGINT: 10, SIGIO: 11, SIGIOT: 12, SIGKILL: 13, SIGPIPE: 14, SIGPOLL: 15, SIGPROF: 16, SIGPWR: 17, SIGQUIT: 18, SIGSEGV: 19, SIGSTKFLT: 20, SIGSTOP: 21, SIGSYS: 22, SIGTERM: 23, SIGTRAP: 24, SIGTSTP: 25, SIGTTIN: 26, SIGTTOU: 27, SIGURG: 28, SIGUSR1: 29, SIGUSR2: 30, SIGVTALRM: 31, SIGWINCH: 32, SIGXCPU: 33, SIGXFSZ: 34, SIGRTMIN: 35, SIGRTMINPLUS1: 36, SIGRTMINPLUS2: 37, SIGRTMINPLUS3: 38, SIGRTMINPLUS4: 39, SIGRTMINPLUS5: 40, SIGRTMINPLUS6: 41, SIGRTMINPLUS7: 42, SIGRTMINPLUS8: 43, SIGRTMINPLUS9: 44, SIGRTMINPLUS10: 45, SIGRTMINPLUS11: 46, SIGRTMINPLUS12: 47, SIGRTMINPLUS13: 48, SIGRTMINPLUS14: 49, SIGRTMINPLUS15: 50, SIGRTMAXMINUS14: 51, SIGRTMAXMINUS13: 52, SIGRTMAXMINUS12: 53, SIGRTMAXMINUS11: 54, SIGRTMAXMINUS10: 55, SIGRTMAXMINUS9: 56, SIGRTMAXMINUS8: 57, SIGRTMAXMINUS7: 58, SIGRTMAXMINUS6: 59, SIGRTMAXMINUS5: 60, SIGRTMAXMINUS4: 61, SIGRTMAXMINUS3: 62, SIGRTMAXMINUS2: 63, SIGRTMAXMINUS1: 64, SIGRTMAX: 65 });

function encodeCreateContainerRequest(m, w) {
  if (m.podSandboxId) w.uint32(10).string(m.podSandboxId);
  if (m.config) encodeContainerConfig(m.config, w.uint32(18).fork()), w.ldelim();
  if (m.sandboxConfig) encodePodSandboxConfig(m.sandboxConfig, w.uint32(26).fork()), w.ldelim();
}
function decodeCreateContainerRequest(r, end, m = { podSandboxId: '', config: null, sandboxConfig: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = r.stringVerify(); break;
      case 18: m.config = decodeContainerConfig(r, ahead(r), m.config ?? undefined); break;
      case 26: m.sandboxConfig = decodePodSandboxConfig(r, ahead(r), m.sandboxConfig ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CreateContainerRequest runs past its end');
  return m;
}
export const CreateContainerRequest = codec('CreateContainerRequest', encodeCreateContainerRequest, decodeCreateContainerRequest);

function encodeCreateContainerResponse(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
}
function decodeCreateContainerResponse(r, end, m = { containerId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CreateContainerResponse runs past its end');
  return m;
}
export const CreateContainerResponse = codec('CreateContainerResponse', encodeCreateContainerResponse, decodeCreateContainerResponse);

function encodeStartContainerRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
}
function decodeStartContainerRequest(r, end, m = { containerId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StartContainerRequest runs past its end');
  return m;
}
export const StartContainerRequest = codec('StartContainerRequest', encodeStartContainerRequest, decodeStartContainerRequest);

function encodeStartContainerResponse(m, w) {
}
function decodeStartContainerResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StartContainerResponse runs past its end');
  return m;
}
export const StartContainerResponse = codec('StartContainerResponse', encodeStartContainerResponse, decodeStartContainerResponse);

function encodeStopContainerRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
  if (m.timeout) w.uint32(16).int64(bits(m.timeout));
}
function decodeStopContainerRequest(r, end, m = { containerId: '', timeout: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      case 16: m.timeout = int64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StopContainerRequest runs past its end');
  return m;
}
export const StopContainerRequest = codec('StopContainerRequest', encodeStopContainerRequest, decodeStopContainerRequest);

function encodeStopContainerResponse(m, w) {
}
function decodeStopContainerResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StopContainerResponse runs past its end');
  return m;
}
export const StopContainerResponse = codec('StopContainerResponse', encodeStopContainerResponse, decodeStopContainerResponse);

function encodeRemoveContainerRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
}
function decodeRemoveContainerRequest(r, end, m = { containerId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RemoveContainerRequest runs past its end');
  return m;
}
export const RemoveContainerRequest = codec('RemoveContainerRequest', encodeRemoveContainerRequest, decodeRemoveContainerRequest);

function encodeRemoveContainerResponse(m, w) {
}
function decodeRemoveContainerResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RemoveContainerResponse runs past its end');
  return m;
}
export const RemoveContainerResponse = codec('RemoveContainerResponse', encodeRemoveContainerResponse, decodeRemoveContainerResponse);

export const ContainerState = Object.freeze({ CONTAINER_CREATED: 0, CONTAINER_RUNNING: 1, CONTAINER_EXITED: 2, CONTAINER_UNKNOWN: 3 });

function encodeContainerStateValue(m, w) {
  if (m.state) w.uint32(8).int32(m.state);
}
function decodeContainerStateValue(r, end, m = { state: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.state = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerStateValue runs past its end');
  return m;
}
export const ContainerStateValue = codec('ContainerStateValue', encodeContainerStateValue, decodeContainerStateValue);

function encodeContainerFilter(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.state) encodeContainerStateValue(m.state, w.uint32(18).fork()), w.ldelim();
  if (m.podSandboxId) w.uint32(26).string(m.podSandboxId);
  if (m.labelSelector) writeMap(w, 34, m.labelSelector);
}
function decodeContainerFilter(r, end, m = { id: '', state: null, podSandboxId: '', labelSelector: {} }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.state = decodeContainerStateValue(r, ahead(r), m.state ?? undefined); break;
      case 26: m.podSandboxId = r.stringVerify(); break;
      case 34: readEntry(r, m.labelSelector); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerFilter runs past its end');
  return m;
}
export const ContainerFilter = codec('ContainerFilter', encodeContainerFilter, decodeContainerFilter);

function encodeListContainersRequest(m, w) {
  if (m.filter) encodeContainerFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeListContainersRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodeContainerFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListContainersRequest runs past its end');
  return m;
}
export const ListContainersRequest = codec('ListContainersRequest', encodeListContainersRequest, decodeListContainersRequest);

function encodeContainer(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.podSandboxId) w.uint32(18).string(m.podSandboxId);
  if (m.metadata) encodeContainerMetadata(m.metadata, w.uint32(26).fork()), w.ldelim();
  if (m.image) encodeImageSpec(m.image, w.uint32(34).fork()), w.ldelim();
  if (m.imageRef) w.uint32(42).string(m.imageRef);
  if (m.state) w.uint32(48).int32(m.state);
  if (m.createdAt) w.uint32(56).int64(bits(m.createdAt));
  if (m.labels) writeMap(w, 66, m.labels);
  if (m.annotations) writeMap(w, 74, m.annotations);
  if (m.imageId) w.uint32(82).string(m.imageId);
}
function decodeContainer(r, end, m = { id: '', podSandboxId: '', metadata: null, image: null, imageRef: '', state: 0, createdAt: 0n, labels: {}, annotations: {}, imageId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.podSandboxId = r.stringVerify(); break;
      case 26: m.metadata = decodeContainerMetadata(r, ahead(r), m.metadata ?? undefined); break;
      case 34: m.image = decodeImageSpec(r, ahead(r), m.image ?? undefined); break;
      case 42: m.imageRef = r.stringVerify(); break;
      case 48: m.state = r.int32(); break;
      case 56: m.createdAt = int64(r); break;
      case 66: readEntry(r, m.labels); break;
      case 74: readEntry(r, m.annotations); break;
      case 82: m.imageId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('Container runs past its end');
  return m;
}
export const Container = codec('Container', encodeContainer, decodeContainer);

function encodeListContainersResponse(m, w) {
  if (m.containers) for (const x of m.containers) encodeContainer(x, w.uint32(10).fork()), w.ldelim();
}
function decodeListContainersResponse(r, end, m = { containers: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containers.push(decodeContainer(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListContainersResponse runs past its end');
  return m;
}
export const ListContainersResponse = codec('ListContainersResponse', encodeListContainersResponse, decodeListContainersResponse);

function encodeStreamContainersRequest(m, w) {
  if (m.filter) encodeContainerFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamContainersRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodeContainerFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamContainersRequest runs past its end');
  return m;
}
export const StreamContainersRequest = codec('StreamContainersRequest', encodeStreamContainersRequest, decodeStreamContainersRequest);

function encodeStreamContainersResponse(m, w) {
  if (m.containers) for (const x of m.containers) encodeContainer(x, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamContainersResponse(r, end, m = { containers: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containers.push(decodeContainer(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamContainersResponse runs past its end');
  return m;
}
export const StreamContainersResponse = codec('StreamContainersResponse', encodeStreamContainersResponse, decodeStreamContainersResponse);

function encodeContainerStatusRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
  if (m.verbose) w.uint32(16).bool(m.verbose);
}
function decodeContainerStatusRequest(r, end, m = { containerId: '', verbose: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      case 16: m.verbose = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerStatusRequest runs past its end');
  return m;
}
export const ContainerStatusRequest = codec('ContainerStatusRequest', encodeContainerStatusRequest, decodeContainerStatusRequest);

function encodeContainerStatus(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.metadata) encodeContainerMetadata(m.metadata, w.uint32(18).fork()), w.ldelim();
  if (m.state) w.uint32(24).int32(m.state);
  if (m.createdAt) w.uint32(32).int64(bits(m.createdAt));
  if (m.startedAt) w.uint32(40).int64(bits(m.startedAt));
  if (m.finishedAt) w.uint32(48).int64(bits(m.finishedAt));
  if (m.exitCode) w.uint32(56).int32(m.exitCode);
  if (m.image) encodeImageSpec(m.image, w.uint32(66).fork()), w.ldelim();
  if (m.imageRef) w.uint32(74).string(m.imageRef);
  if (m.reason) w.uint32(82).string(m.reason);
  if (m.message) w.uint32(90).string(m.message);
  if (m.labels) writeMap(w, 98, m.labels);
  if (m.annotations) writeMap(w, 106, m.annotations);
  if (m.mounts) for (const x of m.mounts) encodeMount(x, w.uint32(114).fork()), w.ldelim();
  if (m.logPath) w.uint32(122).string(m.logPath);
  if (m.resources) encodeContainerResources(m.resources, w.uint32(130).fork()), w.ldelim();
  if (m.imageId) w.uint32(138).string(m.imageId);
  if (m.user) encodeContainerUser(m.user, w.uint32(146).fork()), w.ldelim();
  if (m.stopSignal) w.uint32(152).int32(m.stopSignal);
}
function decodeContainerStatus(r, end, m = { id: '', metadata: null, state: 0, createdAt: 0n, startedAt: 0n, finishedAt: 0n, exitCode: 0, image: null, imageRef: '', reason: '', message: '', labels: {}, annotations: {}, mounts: [], logPath: '', resources: null, imageId: '', user: null, stopSignal: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.metadata = decodeContainerMetadata(r, ahead(r), m.metadata ?? undefined); break;
      case 24: m.state = r.int32(); break;
      case 32: m.createdAt = int64(r); break;
      case 40: m.startedAt = int64(r); break;
      case 48: m.finishedAt = int64(r); break;
      case 56: m.exitCode = r.int32(); break;
      case 66: m.image = decodeImageSpec(r, ahead(r), m.image ?? undefined); break;
      case 74: m.imageRef = r.stringVerify(); break;
      case 82: m.reason = r.stringVerify(); break;
      case 90: m.message = r.stringVerify(); break;
      case 98: readEntry(r, m.labels); break;
      case 106: readEntry(r, m.annotations); break;
      case 114: m.mounts.push(decodeMount(r, ahead(r))); break;
      case 122: m.logPath = r.stringVerify(); break;
      case 130: m.resources = decodeContainerResources(r, ahead(r), m.resources ?? undefined); break;
      case 138: m.imageId = r.stringVerify(); break;
      case 146: m.user = decodeContainerUser(r, ahead(r), m.user ?? undefined); break;
      case 152: m.stopSignal = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerStatus runs past its end');
  return m;
}
export const ContainerStatus = codec('ContainerStatus', encodeContainerStatus, decodeContainerStatus);

function encodeContainerStatusResponse(m, w) {
  if (m.status) encodeContainerStatus(m.status, w.uint32(10).fork()), w.ldelim();
  if (m.info) writeMap(w, 18, m.info);
}
function decodeContainerStatusResponse(r, end, m = { status: null, info: {} }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.status = decodeContainerStatus(r, ahead(r), m.status ?? undefined); break;
      case 18: readEntry(r, m.info); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerStatusResponse runs past its end');
  return m;
}
export const ContainerStatusResponse = codec('ContainerStatusResponse', encodeContainerStatusResponse, decodeContainerStatusResponse);

function encodeContainerResources(m, w) {
  if (m.linux) encodeLinuxContainerResources(m.linux, w.uint32(10).fork()), w.ldelim();
  if (m.windows) encodeWindowsContainerResources(m.windows, w.uint32(18).fork()), w.ldelim();
}
function decodeContainerResources(r, end, m = { linux: null, windows: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.linux = decodeLinuxContainerResources(r, ahead(r), m.linux ?? undefined); break;
      case 18: m.windows = decodeWindowsContainerResources(r, ahead(r), m.windows ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerResources runs past its end');
  return m;
}
export const ContainerResources = codec('ContainerResources', encodeContainerResources, decodeContainerResources);

function encodeContainerUser(m, w) {
  if (m.linux) encodeLinuxContainerUser(m.linux, w.uint32(10).fork()), w.ldelim();
}
function decodeContainerUser(r, end, m = { linux: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.linux = decodeLinuxContainerUser(r, ahead(r), m.linux ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerUser runs past its end');
  return m;
}
export const ContainerUser = codec('ContainerUser', encodeContainerUser, decodeContainerUser);

function encodeUpdateContainerResourcesRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
  if (m.linux) encodeLinuxContainerResources(m.linux, w.uint32(18).fork()), w.ldelim();
  if (m.windows) encodeWindowsContainerResources(m.windows, w.uint32(26).fork()), w.ldelim();
  if (m.annotations) writeMap(w, 34, m.annotations);
}
function decodeUpdateContainerResourcesRequest(r, end, m = { containerId: '', linux: null, windows: null, annotations: {} }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      case 18: m.linux = decodeLinuxContainerResources(r, ahead(r), m.linux ?? undefined); break;
      case 26: m.windows = decodeWindowsContainerResources(r, ahead(r), m.windows ?? undefined); break;
      case 34: readEntry(r, m.annotations); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('UpdateContainerResourcesRequest runs past its end');
  return m;
}
export const UpdateContainerResourcesRequest = codec('UpdateContainerResourcesRequest', encodeUpdateContainerResourcesRequest, decodeUpdateContainerResourcesRequest);

function encodeUpdateContainerResourcesResponse(m, w) {
}
function decodeUpdateContainerResourcesResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('UpdateContainerResourcesResponse runs past its end');
  return m;
}
export const UpdateContainerResourcesResponse = codec('UpdateContainerResourcesResponse', encodeUpdateContainerResourcesResponse, decodeUpdateContainerResourcesResponse);

function encodeExecSyncRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
  if (m.cmd) for (const x of m.cmd) w.uint32(18).string(x);
  if (m.timeout) w.uint32(24).int64(bits(m.timeout));
}
function decodeExecSyncRequest(r, end, m = { containerId: '', cmd: [], timeout: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      case 18: m.cmd.push(r.stringVerify()); break;
      case 24: m.timeout = int64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ExecSyncRequest runs past its end');
  return m;
}
export const ExecSyncRequest = codec('ExecSyncRequest', encodeExecSyncRequest, decodeExecSyncRequest);

function encodeExecSyncResponse(m, w) {
  if (m.stdout?.length) w.uint32(10).bytes(m.stdout);
  if (m.stderr?.length) w.uint32(18).bytes(m.stderr);
  if (m.exitCode) w.uint32(24).int32(m.exitCode);
}
function decodeExecSyncResponse(r, end, m = { stdout: EMPTY, stderr: EMPTY, exitCode: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stdout = r.bytes(); break;
      case 18: m.stderr = r.bytes(); break;
      case 24: m.exitCode = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ExecSyncResponse runs past its end');
  return m;
}
export const ExecSyncResponse = codec('ExecSyncResponse', encodeExecSyncResponse, decodeExecSyncResponse);

function encodeExecRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
  if (m.cmd) for (const x of m.cmd) w.uint32(18).string(x);
  if (m.tty) w.uint32(24).bool(m.tty);
  if (m.stdin) w.uint32(32).bool(m.stdin);
  if (m.stdout) w.uint32(40).bool(m.stdout);
  if (m.stderr) w.uint32(48).bool(m.stderr);
}
function decodeExecRequest(r, end, m = { containerId: '', cmd: [], tty: false, stdin: false, stdout: false, stderr: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      case 18: m.cmd.push(r.stringVerify()); break;
      case 24: m.tty = r.bool(); break;
      case 32: m.stdin = r.bool(); break;
      case 40: m.stdout = r.bool(); break;
      case 48: m.stderr = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ExecRequest runs past its end');
  return m;
}
export const ExecRequest = codec('ExecRequest', encodeExecRequest, decodeExecRequest);

function encodeExecResponse(m, w) {
  if (m.url) w.uint32(10).string(m.url);
}
function decodeExecResponse(r, end, m = { url: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.url = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ExecResponse runs past its end');
  return m;
}
export const ExecResponse = codec('ExecResponse', encodeExecResponse, decodeExecResponse);

function encodeAttachRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
  if (m.stdin) w.uint32(16).bool(m.stdin);
  if (m.tty) w.uint32(24).bool(m.tty);
  if (m.stdout) w.uint32(32).bool(m.stdout);
  if (m.stderr) w.uint32(40).bool(m.stderr);
}
function decodeAttachRequest(r, end, m = { containerId: '', stdin: false, tty: false, stdout: false, stderr: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      case 16: m.stdin = r.bool(); break;
      case 24: m.tty = r.bool(); break;
      case 32: m.stdout = r.bool(); break;
      case 40: m.stderr = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('AttachRequest runs past its end');
  return m;
}
export const AttachRequest = codec('AttachRequest', encodeAttachRequest, decodeAttachRequest);

function encodeAttachResponse(m, w) {
  if (m.url) w.uint32(10).string(m.url);
}
function decodeAttachResponse(r, end, m = { url: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.url = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('AttachResponse runs past its end');
  return m;
}
export const AttachResponse = codec('AttachResponse', encodeAttachResponse, decodeAttachResponse);

function encodePortForwardRequest(m, w) {
  if (m.podSandboxId) w.uint32(10).string(m.podSandboxId);
  if (m.port?.length) { w.uint32(18).fork(); for (const x of m.port) w.int32(x); w.ldelim(); }
}
function decodePortForwardRequest(r, end, m = { podSandboxId: '', port: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = r.stringVerify(); break;
      case 18: for (const e = ahead(r); r.pos < e; ) m.port.push(r.int32()); break;
      case 16: m.port.push(r.int32()); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PortForwardRequest runs past its end');
  return m;
}
export const PortForwardRequest = codec('PortForwardRequest', encodePortForwardRequest, decodePortForwardRequest);

function encodePortForwardResponse(m, w) {
  if (m.url) w.uint32(10).string(m.url);
}
function decodePortForwardResponse(r, end, m = { url: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.url = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PortForwardResponse runs past its end');
  return m;
}
export const PortForwardResponse = codec('PortForwardResponse', encodePortForwardResponse, decodePortForwardResponse);

function encodeImageFilter(m, w) {
  if (m.image) encodeImageSpec(m.image, w.uint32(10).fork()), w.ldelim();
}
function decodeImageFilter(r, end, m = { image: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = decodeImageSpec(r, ahead(r), m.image ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ImageFilter runs past its end');
  return m;
}
export const ImageFilter = codec('ImageFilter', encodeImageFilter, decodeImageFilter);

function encodeListImagesRequest(m, w) {
  if (m.filter) encodeImageFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeListImagesRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodeImageFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListImagesRequest runs past its end');
  return m;
}
export const ListImagesRequest = codec('ListImagesRequest', encodeListImagesRequest, decodeListImagesRequest);

function encodeImage(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.repoTags) for (const x of m.repoTags) w.uint32(18).string(x);
  if (m.repoDigests) for (const x of m.repoDigests) w.uint32(26).string(x);
  if (m.size) w.uint32(32).uint64(bits(m.size));
  if (m.uid) encodeInt64Value(m.uid, w.uint32(42).fork()), w.ldelim();
  if (m.username) w.uint32(50).string(m.username);
  if (m.spec) encodeImageSpec(m.spec, w.uint32(58).fork()), w.ldelim();
  if (m.pinned) w.uint32(64).bool(m.pinned);
}
function decodeImage(r, end, m = { id: '', repoTags: [], repoDigests: [], size: 0n, uid: null, username: '', spec: null, pinned: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.repoTags.push(r.stringVerify()); break;
      case 26: m.repoDigests.push(r.stringVerify()); break;
      case 32: m.size = uint64(r); break;
      case 42: m.uid = decodeInt64Value(r, ahead(r), m.uid ?? undefined); break;
      case 50: m.username = r.stringVerify(); break;
      case 58: m.spec = decodeImageSpec(r, ahead(r), m.spec ?? undefined); break;
      case 64: m.pinned = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('Image runs past its end');
  return m;
}
export const Image = codec('Image', encodeImage, decodeImage);

function encodeListImagesResponse(m, w) {
  if (m.images) for (const x of m.images) encodeImage(x, w.uint32(10).fork()), w.ldelim();
}
function decodeListImagesResponse(r, end, m = { images: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.images.push(decodeImage(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListImagesResponse runs past its end');
  return m;
}
export const ListImagesResponse = codec('ListImagesResponse', encodeListImagesResponse, decodeListImagesResponse);

function encodeStreamImagesRequest(m, w) {
  if (m.filter) encodeImageFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamImagesRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodeImageFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamImagesRequest runs past its end');
  return m;
}
export const StreamImagesRequest = codec('StreamImagesRequest', encodeStreamImagesRequest, decodeStreamImagesRequest);

function encodeStreamImagesResponse(m, w) {
  if (m.images) for (const x of m.images) encodeImage(x, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamImagesResponse(r, end, m = { images: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.images.push(decodeImage(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamImagesResponse runs past its end');
  return m;
}
export const StreamImagesResponse = codec('StreamImagesResponse', encodeStreamImagesResponse, decodeStreamImagesResponse);

function encodeImageStatusRequest(m, w) {
  if (m.image) encodeImageSpec(m.image, w.uint32(10).fork()), w.ldelim();
  if (m.verbose) w.uint32(16).bool(m.verbose);
}
function decodeImageStatusRequest(r, end, m = { image: null, verbose: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = decodeImageSpec(r, ahead(r), m.image ?? undefined); break;
      case 16: m.verbose = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ImageStatusRequest runs past its end');
  return m;
}
export const ImageStatusRequest = codec('ImageStatusRequest', encodeImageStatusRequest, decodeImageStatusRequest);

function encodeImageStatusResponse(m, w) {
  if (m.image) encodeImage(m.image, w.uint32(10).fork()), w.ldelim();
  if (m.info) writeMap(w, 18, m.info);
}
function decodeImageStatusResponse(r, end, m = { image: null, info: {} }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = decodeImage(r, ahead(r), m.image ?? undefined); break;
      case 18: readEntry(r, m.info); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ImageStatusResponse runs past its end');
  return m;
}
export const ImageStatusResponse = codec('ImageStatusResponse', encodeImageStatusResponse, decodeImageStatusResponse);

function encodeAuthConfig(m, w) {
  if (m.username) w.uint32(10).string(m.username);
  if (m.password) w.uint32(18).string(m.password);
  if (m.auth) w.uint32(26).string(m.auth);
  if (m.serverAddress) w.uint32(34).string(m.serverAddress);
  if (m.identityToken) w.uint32(42).string(m.identityToken);
  if (m.registryToken) w.uint32(50).string(m.registryToken);
}
function decodeAuthConfig(r, end, m = { username: '', password: '', auth: '', serverAddress: '', identityToken: '', registryToken: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.username = r.stringVerify(); break;
      case 18: m.password = r.stringVerify(); break;
      case 26: m.auth = r.stringVerify(); break;
      case 34: m.serverAddress = r.stringVerify(); break;
      case 42: m.identityToken = r.stringVerify(); break;
      case 50: m.registryToken = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('AuthConfig runs past its end');
  return m;
}
export const AuthConfig = codec('AuthConfig', encodeAuthConfig, decodeAuthConfig);

function encodePullImageRequest(m, w) {
  if (m.image) encodeImageSpec(m.image, w.uint32(10).fork()), w.ldelim();
  if (m.auth) encodeAuthConfig(m.auth, w.uint32(18).fork()), w.ldelim();
  if (m.sandboxConfig) encodePodSandboxConfig(m.sandboxConfig, w.uint32(26).fork()), w.ldelim();
}
function decodePullImageRequest(r, end, m = { image: null, auth: null, sandboxConfig: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = decodeImageSpec(r, ahead(r), m.image ?? undefined); break;
      case 18: m.auth = decodeAuthConfig(r, ahead(r), m.auth ?? undefined); break;
      case 26: m.sandboxConfig = decodePodSandboxConfig(r, ahead(r), m.sandboxConfig ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PullImageRequest runs past its end');
  return m;
}
export const PullImageRequest = codec('PullImageRequest', encodePullImageRequest, decodePullImageRequest);

function encodePullImageResponse(m, w) {
  if (m.imageRef) w.uint32(10).string(m.imageRef);
}
function decodePullImageResponse(r, end, m = { imageRef: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.imageRef = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PullImageResponse runs past its end');
  return m;
}
export const PullImageResponse = codec('PullImageResponse', encodePullImageResponse, decodePullImageResponse);

function encodeRemoveImageRequest(m, w) {
  if (m.image) encodeImageSpec(m.image, w.uint32(10).fork()), w.ldelim();
}
function decodeRemoveImageRequest(r, end, m = { image: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = decodeImageSpec(r, ahead(r), m.image ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RemoveImageRequest runs past its end');
  return m;
}
export const RemoveImageRequest = codec('RemoveImageRequest', encodeRemoveImageRequest, decodeRemoveImageRequest);

function encodeRemoveImageResponse(m, w) {
}
function decodeRemoveImageResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RemoveImageResponse runs past its end');
  return m;
}
export const RemoveImageResponse = codec('RemoveImageResponse', encodeRemoveImageResponse, decodeRemoveImageResponse);

function encodeNetworkConfig(m, w) {
  if (m.podCidr) w.uint32(10).string(m.podCidr);
}
function decodeNetworkConfig(r, end, m = { podCidr: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podCidr = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('NetworkConfig runs past its end');
  return m;
}
export const NetworkConfig = codec('NetworkConfig', encodeNetworkConfig, decodeNetworkConfig);

function encodeRuntimeConfig(m, w) {
  if (m.networkConfig) encodeNetworkConfig(m.networkConfig, w.uint32(10).fork()), w.ldelim();
}
function decodeRuntimeConfig(r, end, m = { networkConfig: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.networkConfig = decodeNetworkConfig(r, ahead(r), m.networkConfig ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RuntimeConfig runs past its end');
  return m;
}
export const RuntimeConfig = codec('RuntimeConfig', encodeRuntimeConfig, decodeRuntimeConfig);

function encodeUpdateRuntimeConfigRequest(m, w) {
  if (m.runtimeConfig) encodeRuntimeConfig(m.runtimeConfig, w.uint32(10).fork()), w.ldelim();
}
function decodeUpdateRuntimeConfigRequest(r, end, m = { runtimeConfig: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.runtimeConfig = decodeRuntimeConfig(r, ahead(r), m.runtimeConfig ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('UpdateRuntimeConfigRequest runs past its end');
  return m;
}
export const UpdateRuntimeConfigRequest = codec('UpdateRuntimeConfigRequest', encodeUpdateRuntimeConfigRequest, decodeUpdateRuntimeConfigRequest);

function encodeUpdateRuntimeConfigResponse(m, w) {
}
function decodeUpdateRuntimeConfigResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('UpdateRuntimeConfigResponse runs past its end');
  return m;
}
export const UpdateRuntimeConfigResponse = codec('UpdateRuntimeConfigResponse', encodeUpdateRuntimeConfigResponse, decodeUpdateRuntimeConfigResponse);

function encodeRuntimeCondition(m, w) {
  if (m.type) w.uint32(10).string(m.type);
  if (m.status) w.uint32(16).bool(m.status);
  if (m.reason) w.uint32(26).string(m.reason);
  if (m.message) w.uint32(34).string(m.message);
}
function decodeRuntimeCondition(r, end, m = { type: '', status: false, reason: '', message: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.type = r.stringVerify(); break;
      case 16: m.status = r.bool(); break;
      case 26: m.reason = r.stringVerify(); break;
      case 34: m.message = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RuntimeCondition runs past its end');
  return m;
}
export const RuntimeCondition = codec('RuntimeCondition', encodeRuntimeCondition, decodeRuntimeCondition);

function encodeRuntimeStatus(m, w) {
  if (m.conditions) for (const x of m.conditions) encodeRuntimeCondition(x, w.uint32(10).fork()), w.ldelim();
}
function decodeRuntimeStatus(r, end, m = { conditions: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.conditions.push(decodeRuntimeCondition(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RuntimeStatus runs past its end');
  return m;
}
export const RuntimeStatus = codec('RuntimeStatus', encodeRuntimeStatus, decodeRuntimeStatus);

function encodeStatusRequest(m, w) {
  if (m.verbose) w.uint32(8).bool(m.verbose);
}
function decodeStatusRequest(r, end, m = { verbose: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.verbose = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StatusRequest runs past its end');
  return m;
}
export const StatusRequest = codec('StatusRequest', encodeStatusRequest, decodeStatusRequest);

function encodeRuntimeHandlerFeatures(m, w) {
  if (m.recursiveReadOnlyMounts) w.uint32(8).bool(m.recursiveReadOnlyMounts);
  if (m.userNamespaces) w.uint32(16).bool(m.userNamespaces);
}
function decodeRuntimeHandlerFeatures(r, end, m = { recursiveReadOnlyMounts: false, userNamespaces: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.recursiveReadOnlyMounts = r.bool(); break;
      case 16: m.userNamespaces = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RuntimeHandlerFeatures runs past its end');
  return m;
}
export const RuntimeHandlerFeatures = codec('RuntimeHandlerFeatures', encodeRuntimeHandlerFeatures, decodeRuntimeHandlerFeatures);

function encodeRuntimeHandler(m, w) {
  if (m.name) w.uint32(10).string(m.name);
  if (m.features) encodeRuntimeHandlerFeatures(m.features, w.uint32(18).fork()), w.ldelim();
}
function decodeRuntimeHandler(r, end, m = { name: '', features: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = r.stringVerify(); break;
      case 18: m.features = decodeRuntimeHandlerFeatures(r, ahead(r), m.features ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RuntimeHandler runs past its end');
  return m;
}
export const RuntimeHandler = codec('RuntimeHandler', encodeRuntimeHandler, decodeRuntimeHandler);

function encodeRuntimeFeatures(m, w) {
  if (m.supplementalGroupsPolicy) w.uint32(8).bool(m.supplementalGroupsPolicy);
  if (m.userNamespacesHostNetwork) w.uint32(16).bool(m.userNamespacesHostNetwork);
}
function decodeRuntimeFeatures(r, end, m = { supplementalGroupsPolicy: false, userNamespacesHostNetwork: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.supplementalGroupsPolicy = r.bool(); break;
      case 16: m.userNamespacesHostNetwork = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RuntimeFeatures runs past its end');
  return m;
}
export const RuntimeFeatures = codec('RuntimeFeatures', encodeRuntimeFeatures, decodeRuntimeFeatures);

function encodeStatusResponse(m, w) {
  if (m.status) encodeRuntimeStatus(m.status, w.uint32(10).fork()), w.ldelim();
  if (m.info) writeMap(w, 18, m.info);
  if (m.runtimeHandlers) for (const x of m.runtimeHandlers) encodeRuntimeHandler(x, w.uint32(26).fork()), w.ldelim();
  if (m.features) encodeRuntimeFeatures(m.features, w.uint32(34).fork()), w.ldelim();
}
function decodeStatusResponse(r, end, m = { status: null, info: {}, runtimeHandlers: [], features: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.status = decodeRuntimeStatus(r, ahead(r), m.status ?? undefined); break;
      case 18: readEntry(r, m.info); break;
      case 26: m.runtimeHandlers.push(decodeRuntimeHandler(r, ahead(r))); break;
      case 34: m.features = decodeRuntimeFeatures(r, ahead(r), m.features ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StatusResponse runs past its end');
  return m;
}
export const StatusResponse = codec('StatusResponse', encodeStatusResponse, decodeStatusResponse);

function encodeImageFsInfoRequest(m, w) {
}
function decodeImageFsInfoRequest(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ImageFsInfoRequest runs past its end');
  return m;
}
export const ImageFsInfoRequest = codec('ImageFsInfoRequest', encodeImageFsInfoRequest, decodeImageFsInfoRequest);

function encodeUInt64Value(m, w) {
  if (m.value) w.uint32(8).uint64(bits(m.value));
}
function decodeUInt64Value(r, end, m = { value: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = uint64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('UInt64Value runs past its end');
  return m;
}
export const UInt64Value = codec('UInt64Value', encodeUInt64Value, decodeUInt64Value);

function encodeFilesystemIdentifier(m, w) {
  if (m.mountpoint) w.uint32(10).string(m.mountpoint);
}
function decodeFilesystemIdentifier(r, end, m = { mountpoint: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.mountpoint = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('FilesystemIdentifier runs past its end');
  return m;
}
export const FilesystemIdentifier = codec('FilesystemIdentifier', encodeFilesystemIdentifier, decodeFilesystemIdentifier);

function encodeFilesystemUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.fsId) encodeFilesystemIdentifier(m.fsId, w.uint32(18).fork()), w.ldelim();
  if (m.usedBytes) encodeUInt64Value(m.usedBytes, w.uint32(26).fork()), w.ldelim();
  if (m.inodesUsed) encodeUInt64Value(m.inodesUsed, w.uint32(34).fork()), w.ldelim();
}
function decodeFilesystemUsage(r, end, m = { timestamp: 0n, fsId: null, usedBytes: null, inodesUsed: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.fsId = decodeFilesystemIdentifier(r, ahead(r), m.fsId ?? undefined); break;
      case 26: m.usedBytes = decodeUInt64Value(r, ahead(r), m.usedBytes ?? undefined); break;
      case 34: m.inodesUsed = decodeUInt64Value(r, ahead(r), m.inodesUsed ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('FilesystemUsage runs past its end');
  return m;
}
export const FilesystemUsage = codec('FilesystemUsage', encodeFilesystemUsage, decodeFilesystemUsage);

function encodeWindowsFilesystemUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.fsId) encodeFilesystemIdentifier(m.fsId, w.uint32(18).fork()), w.ldelim();
  if (m.usedBytes) encodeUInt64Value(m.usedBytes, w.uint32(26).fork()), w.ldelim();
}
function decodeWindowsFilesystemUsage(r, end, m = { timestamp: 0n, fsId: null, usedBytes: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.fsId = decodeFilesystemIdentifier(r, ahead(r), m.fsId ?? undefined); break;
      case 26: m.usedBytes = decodeUInt64Value(r, ahead(r), m.usedBytes ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsFilesystemUsage runs past its end');
  return m;
}
export const WindowsFilesystemUsage = codec('WindowsFilesystemUsage', encodeWindowsFilesystemUsage, decodeWindowsFilesystemUsage);

function encodeImageFsInfoResponse(m, w) {
  if (m.imageFilesystems) for (const x of m.imageFilesystems) encodeFilesystemUsage(x, w.uint32(10).fork()), w.ldelim();
  if (m.containerFilesystems) for (const x of m.containerFilesystems) encodeFilesystemUsage(x, w.uint32(18).fork()), w.ldelim();
}
function decodeImageFsInfoResponse(r, end, m = { imageFilesystems: [], containerFilesystems: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.imageFilesystems.push(decodeFilesystemUsage(r, ahead(r))); break;
      case 18: m.containerFilesystems.push(decodeFilesystemUsage(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ImageFsInfoResponse runs past its end');
  return m;
}
export const ImageFsInfoResponse = codec('ImageFsInfoResponse', encodeImageFsInfoResponse, decodeImageFsInfoResponse);

function encodeContainerStatsRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
}
function decodeContainerStatsRequest(r, end, m = { containerId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerStatsRequest runs past its end');
  return m;
}
export const ContainerStatsRequest = codec('ContainerStatsRequest', encodeContainerStatsRequest, decodeContainerStatsRequest);

function encodeContainerStatsResponse(m, w) {
  if (m.stats) encodeContainerStats(m.stats, w.uint32(10).fork()), w.ldelim();
}
function decodeContainerStatsResponse(r, end, m = { stats: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stats = decodeContainerStats(r, ahead(r), m.stats ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerStatsResponse runs past its end');
  return m;
}
export const ContainerStatsResponse = codec('ContainerStatsResponse', encodeContainerStatsResponse, decodeContainerStatsResponse);

function encodeListContainerStatsRequest(m, w) {
  if (m.filter) encodeContainerStatsFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeListContainerStatsRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodeContainerStatsFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListContainerStatsRequest runs past its end');
  return m;
}
export const ListContainerStatsRequest = codec('ListContainerStatsRequest', encodeListContainerStatsRequest, decodeListContainerStatsRequest);

function encodeContainerStatsFilter(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.podSandboxId) w.uint32(18).string(m.podSandboxId);
  if (m.labelSelector) writeMap(w, 26, m.labelSelector);
}
function decodeContainerStatsFilter(r, end, m = { id: '', podSandboxId: '', labelSelector: {} }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.podSandboxId = r.stringVerify(); break;
      case 26: readEntry(r, m.labelSelector); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerStatsFilter runs past its end');
  return m;
}
export const ContainerStatsFilter = codec('ContainerStatsFilter', encodeContainerStatsFilter, decodeContainerStatsFilter);

function encodeListContainerStatsResponse(m, w) {
  if (m.stats) for (const x of m.stats) encodeContainerStats(x, w.uint32(10).fork()), w.ldelim();
}
function decodeListContainerStatsResponse(r, end, m = { stats: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stats.push(decodeContainerStats(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListContainerStatsResponse runs past its end');
  return m;
}
export const ListContainerStatsResponse = codec('ListContainerStatsResponse', encodeListContainerStatsResponse, decodeListContainerStatsResponse);

function encodeStreamContainerStatsRequest(m, w) {
  if (m.filter) encodeContainerStatsFilter(m.filter, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamContainerStatsRequest(r, end, m = { filter: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = decodeContainerStatsFilter(r, ahead(r), m.filter ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamContainerStatsRequest runs past its end');
  return m;
}
export const StreamContainerStatsRequest = codec('StreamContainerStatsRequest', encodeStreamContainerStatsRequest, decodeStreamContainerStatsRequest);

function encodeStreamContainerStatsResponse(m, w) {
  if (m.containerStats) for (const x of m.containerStats) encodeContainerStats(x, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamContainerStatsResponse(r, end, m = { containerStats: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerStats.push(decodeContainerStats(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamContainerStatsResponse runs past its end');
  return m;
}
export const StreamContainerStatsResponse = codec('StreamContainerStatsResponse', encodeStreamContainerStatsResponse, decodeStreamContainerStatsResponse);

function encodeContainerAttributes(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.metadata) encodeContainerMetadata(m.metadata, w.uint32(18).fork()), w.ldelim();
  if (m.labels) writeMap(w, 26, m.labels);
  if (m.annotations) writeMap(w, 34, m.annotations);
}
function decodeContainerAttributes(r, end, m = { id: '', metadata: null, labels: {}, annotations: {} }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.metadata = decodeContainerMetadata(r, ahead(r), m.metadata ?? undefined); break;
      case 26: readEntry(r, m.labels); break;
      case 34: readEntry(r, m.annotations); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerAttributes runs past its end');
  return m;
}
export const ContainerAttributes = codec('ContainerAttributes', encodeContainerAttributes, decodeContainerAttributes);

function encodeContainerStats(m, w) {
  if (m.attributes) encodeContainerAttributes(m.attributes, w.uint32(10).fork()), w.ldelim();
  if (m.cpu) encodeCpuUsage(m.cpu, w.uint32(18).fork()), w.ldelim();
  if (m.memory) encodeMemoryUsage(m.memory, w.uint32(26).fork()), w.ldelim();
  if (m.writableLayer) encodeFilesystemUsage(m.writableLayer, w.uint32(34).fork()), w.ldelim();
  if (m.swap) encodeSwapUsage(m.swap, w.uint32(42).fork()), w.ldelim();
  if (m.io) encodeIoUsage(m.io, w.uint32(50).fork()), w.ldelim();
}
function decodeContainerStats(r, end, m = { attributes: null, cpu: null, memory: null, writableLayer: null, swap: null, io: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.attributes = decodeContainerAttributes(r, ahead(r), m.attributes ?? undefined); break;
      case 18: m.cpu = decodeCpuUsage(r, ahead(r), m.cpu ?? undefined); break;
      case 26: m.memory = decodeMemoryUsage(r, ahead(r), m.memory ?? undefined); break;
      case 34: m.writableLayer = decodeFilesystemUsage(r, ahead(r), m.writableLayer ?? undefined); break;
      case 42: m.swap = decodeSwapUsage(r, ahead(r), m.swap ?? undefined); break;
      case 50: m.io = decodeIoUsage(r, ahead(r), m.io ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerStats runs past its end');
  return m;
}
export const ContainerStats = codec('ContainerStats', encodeContainerStats, decodeContainerStats);

function encodeWindowsContainerStats(m, w) {
  if (m.attributes) encodeContainerAttributes(m.attributes, w.uint32(10).fork()), w.ldelim();
  if (m.cpu) encodeWindowsCpuUsage(m.cpu, w.uint32(18).fork()), w.ldelim();
  if (m.memory) encodeWindowsMemoryUsage(m.memory, w.uint32(26).fork()), w.ldelim();
  if (m.writableLayer) encodeWindowsFilesystemUsage(m.writableLayer, w.uint32(34).fork()), w.ldelim();
}
function decodeWindowsContainerStats(r, end, m = { attributes: null, cpu: null, memory: null, writableLayer: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.attributes = decodeContainerAttributes(r, ahead(r), m.attributes ?? undefined); break;
      case 18: m.cpu = decodeWindowsCpuUsage(r, ahead(r), m.cpu ?? undefined); break;
      case 26: m.memory = decodeWindowsMemoryUsage(r, ahead(r), m.memory ?? undefined); break;
      case 34: m.writableLayer = decodeWindowsFilesystemUsage(r, ahead(r), m.writableLayer ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsContainerStats runs past its end');
  return m;
}
export const WindowsContainerStats = codec('WindowsContainerStats', encodeWindowsContainerStats, decodeWindowsContainerStats);

function encodePsiStats(m, w) {
  if (m.Full) encodePsiData(m.Full, w.uint32(10).fork()), w.ldelim();
  if (m.Some) encodePsiData(m.Some, w.uint32(18).fork()), w.ldelim();
}
function decodePsiStats(r, end, m = { Full: null, Some: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.Full = decodePsiData(r, ahead(r), m.Full ?? undefined); break;
      case 18: m.Some = decodePsiData(r, ahead(r), m.Some ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PsiStats runs past its end');
  return m;
}
export const PsiStats = codec('PsiStats', encodePsiStats, decodePsiStats);

function encodePsiData(m, w) {
  if (m.Total) w.uint32(8).uint64(bits(m.Total));
  if (m.Avg10 !== undefined && m.Avg10 !== 0) w.uint32(17).double(m.Avg10);
  if (m.Avg60 !== undefined && m.Avg60 !== 0) w.uint32(25).double(m.Avg60);
  if (m.Avg300 !== undefined && m.Avg300 !== 0) w.uint32(33).double(m.Avg300);
}
function decodePsiData(r, end, m = { Total: 0n, Avg10: 0, Avg60: 0, Avg300: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.Total = uint64(r); break;
      case 17: m.Avg10 = r.double(); break;
      case 25: m.Avg60 = r.double(); break;
      case 33: m.Avg300 = r.double(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PsiData runs past its end');
  return m;
}
export const PsiData = codec('PsiData', encodePsiData, decodePsiData);

function encodeCpuUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.usageCoreNanoSeconds) encodeUInt64Value(m.usageCoreNanoSeconds, w.uint32(18).fork()), w.ldelim();
  if (m.usageNanoCores) encodeUInt64Value(m.usageNanoCores, w.uint32(26).fork()), w.ldelim();
  if (m.psi) encodePsiStats(m.psi, w.uint32(34).fork()), w.ldelim();
}
function decodeCpuUsage(r, end, m = { timestamp: 0n, usageCoreNanoSeconds: null, usageNanoCores: null, psi: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.usageCoreNanoSeconds = decodeUInt64Value(r, ahead(r), m.usageCoreNanoSeconds ?? undefined); break;
      case 26: m.usageNanoCores = decodeUInt64Value(r, ahead(r), m.usageNanoCores ?? undefined); break;
      case 34: m.psi = decodePsiStats(r, ahead(r), m.psi ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CpuUsage runs past its end');
  return m;
}
export const CpuUsage = codec('CpuUsage', encodeCpuUsage, decodeCpuUsage);

function encodeWindowsCpuUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.usageCoreNanoSeconds) encodeUInt64Value(m.usageCoreNanoSeconds, w.uint32(18).fork()), w.ldelim();
  if (m.usageNanoCores) encodeUInt64Value(m.usageNanoCores, w.uint32(26).fork()), w.ldelim();
}
function decodeWindowsCpuUsage(r, end, m = { timestamp: 0n, usageCoreNanoSeconds: null, usageNanoCores: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.usageCoreNanoSeconds = decodeUInt64Value(r, ahead(r), m.usageCoreNanoSeconds ?? undefined); break;
      case 26: m.usageNanoCores = decodeUInt64Value(r, ahead(r), m.usageNanoCores ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsCpuUsage runs past its end');
  return m;
}
export const WindowsCpuUsage = codec('WindowsCpuUsage', encodeWindowsCpuUsage, decodeWindowsCpuUsage);

function encodeMemoryUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.workingSetBytes) encodeUInt64Value(m.workingSetBytes, w.uint32(18).fork()), w.ldelim();
  if (m.availableBytes) encodeUInt64Value(m.availableBytes, w.uint32(26).fork()), w.ldelim();
  if (m.usageBytes) encodeUInt64Value(m.usageBytes, w.uint32(34).fork()), w.ldelim();
  if (m.rssBytes) encodeUInt64Value(m.rssBytes, w.uint32(42).fork()), w.ldelim();
  if (m.pageFaults) encodeUInt64Value(m.pageFaults, w.uint32(50).fork()), w.ldelim();
  if (m.majorPageFaults) encodeUInt64Value(m.majorPageFaults, w.uint32(58).fork()), w.ldelim();
  if (m.psi) encodePsiStats(m.psi, w.uint32(66).fork()), w.ldelim();
}
function decodeMemoryUsage(r, end, m = { timestamp: 0n, workingSetBytes: null, availableBytes: null, usageBytes: null, rssBytes: null, pageFaults: null, majorPageFaults: null, psi: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.workingSetBytes = decodeUInt64Value(r, ahead(r), m.workingSetBytes ?? undefined); break;
      case 26: m.availableBytes = decodeUInt64Value(r, ahead(r), m.availableBytes ?? undefined); break;
      case 34: m.usageBytes = decodeUInt64Value(r, ahead(r), m.usageBytes ?? undefined); break;
      case 42: m.rssBytes = decodeUInt64Value(r, ahead(r), m.rssBytes ?? undefined); break;
      case 50: m.pageFaults = decodeUInt64Value(r, ahead(r), m.pageFaults ?? undefined); break;
      case 58: m.majorPageFaults = decodeUInt64Value(r, ahead(r), m.majorPageFaults ?? undefined); break;
      case 66: m.psi = decodePsiStats(r, ahead(r), m.psi ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('MemoryUsage runs past its end');
  return m;
}
export const MemoryUsage = codec('MemoryUsage', encodeMemoryUsage, decodeMemoryUsage);

function encodeIoUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.psi) encodePsiStats(m.psi, w.uint32(18).fork()), w.ldelim();
}
function decodeIoUsage(r, end, m = { timestamp: 0n, psi: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.psi = decodePsiStats(r, ahead(r), m.psi ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('IoUsage runs past its end');
  return m;
}
export const IoUsage = codec('IoUsage', encodeIoUsage, decodeIoUsage);

function encodeSwapUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.swapAvailableBytes) encodeUInt64Value(m.swapAvailableBytes, w.uint32(18).fork()), w.ldelim();
  if (m.swapUsageBytes) encodeUInt64Value(m.swapUsageBytes, w.uint32(26).fork()), w.ldelim();
}
function decodeSwapUsage(r, end, m = { timestamp: 0n, swapAvailableBytes: null, swapUsageBytes: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.swapAvailableBytes = decodeUInt64Value(r, ahead(r), m.swapAvailableBytes ?? undefined); break;
      case 26: m.swapUsageBytes = decodeUInt64Value(r, ahead(r), m.swapUsageBytes ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('SwapUsage runs past its end');
  return m;
}
export const SwapUsage = codec('SwapUsage', encodeSwapUsage, decodeSwapUsage);

function encodeWindowsMemoryUsage(m, w) {
  if (m.timestamp) w.uint32(8).int64(bits(m.timestamp));
  if (m.workingSetBytes) encodeUInt64Value(m.workingSetBytes, w.uint32(18).fork()), w.ldelim();
  if (m.availableBytes) encodeUInt64Value(m.availableBytes, w.uint32(26).fork()), w.ldelim();
  if (m.pageFaults) encodeUInt64Value(m.pageFaults, w.uint32(34).fork()), w.ldelim();
  if (m.commitMemoryBytes) encodeUInt64Value(m.commitMemoryBytes, w.uint32(42).fork()), w.ldelim();
}
function decodeWindowsMemoryUsage(r, end, m = { timestamp: 0n, workingSetBytes: null, availableBytes: null, pageFaults: null, commitMemoryBytes: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = int64(r); break;
      case 18: m.workingSetBytes = decodeUInt64Value(r, ahead(r), m.workingSetBytes ?? undefined); break;
      case 26: m.availableBytes = decodeUInt64Value(r, ahead(r), m.availableBytes ?? undefined); break;
      case 34: m.pageFaults = decodeUInt64Value(r, ahead(r), m.pageFaults ?? undefined); break;
      case 42: m.commitMemoryBytes = decodeUInt64Value(r, ahead(r), m.commitMemoryBytes ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WindowsMemoryUsage runs past its end');
  return m;
}
export const WindowsMemoryUsage = codec('WindowsMemoryUsage', encodeWindowsMemoryUsage, decodeWindowsMemoryUsage);

function encodeReopenContainerLogRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
}
function decodeReopenContainerLogRequest(r, end, m = { containerId: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ReopenContainerLogRequest runs past its end');
  return m;
}
export const ReopenContainerLogRequest = codec('ReopenContainerLogRequest', encodeReopenContainerLogRequest, decodeReopenContainerLogRequest);

function encodeReopenContainerLogResponse(m, w) {
}
function decodeReopenContainerLogResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ReopenContainerLogResponse runs past its end');
  return m;
}
export const ReopenContainerLogResponse = codec('ReopenContainerLogResponse', encodeReopenContainerLogResponse, decodeReopenContainerLogResponse);

function encodeCheckpointContainerRequest(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
  if (m.location) w.uint32(18).string(m.location);
  if (m.timeout) w.uint32(24).int64(bits(m.timeout));
}
function decodeCheckpointContainerRequest(r, end, m = { containerId: '', location: '', timeout: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      case 18: m.location = r.stringVerify(); break;
      case 24: m.timeout = int64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CheckpointContainerRequest runs past its end');
  return m;
}
export const CheckpointContainerRequest = codec('CheckpointContainerRequest', encodeCheckpointContainerRequest, decodeCheckpointContainerRequest);

function encodeCheckpointContainerResponse(m, w) {
}
function decodeCheckpointContainerResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CheckpointContainerResponse runs past its end');
  return m;
}
export const CheckpointContainerResponse = codec('CheckpointContainerResponse', encodeCheckpointContainerResponse, decodeCheckpointContainerResponse);

function encodeGetEventsRequest(m, w) {
}
function decodeGetEventsRequest(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('GetEventsRequest runs past its end');
  return m;
}
export const GetEventsRequest = codec('GetEventsRequest', encodeGetEventsRequest, decodeGetEventsRequest);

function encodeContainerEventResponse(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
  if (m.containerEventType) w.uint32(16).int32(m.containerEventType);
  if (m.createdAt) w.uint32(24).int64(bits(m.createdAt));
  if (m.podSandboxStatus) encodePodSandboxStatus(m.podSandboxStatus, w.uint32(34).fork()), w.ldelim();
  if (m.containersStatuses) for (const x of m.containersStatuses) encodeContainerStatus(x, w.uint32(42).fork()), w.ldelim();
}
function decodeContainerEventResponse(r, end, m = { containerId: '', containerEventType: 0, createdAt: 0n, podSandboxStatus: null, containersStatuses: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      case 16: m.containerEventType = r.int32(); break;
      case 24: m.createdAt = int64(r); break;
      case 34: m.podSandboxStatus = decodePodSandboxStatus(r, ahead(r), m.podSandboxStatus ?? undefined); break;
      case 42: m.containersStatuses.push(decodeContainerStatus(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerEventResponse runs past its end');
  return m;
}
export const ContainerEventResponse = codec('ContainerEventResponse', encodeContainerEventResponse, decodeContainerEventResponse);

export const ContainerEventType = Object.freeze({ CONTAINER_CREATED_EVENT: 0, CONTAINER_STARTED_EVENT: 1, CONTAINER_STOPPED_EVENT: 2, CONTAINER_DELETED_EVENT: 3 });

function encodeListMetricDescriptorsRequest(m, w) {
}
function decodeListMetricDescriptorsRequest(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListMetricDescriptorsRequest runs past its end');
  return m;
}
export const ListMetricDescriptorsRequest = codec('ListMetricDescriptorsRequest', encodeListMetricDescriptorsRequest, decodeListMetricDescriptorsRequest);

function encodeListMetricDescriptorsResponse(m, w) {
  if (m.descriptors) for (const x of m.descriptors) encodeMetricDescriptor(x, w.uint32(10).fork()), w.ldelim();
}
function decodeListMetricDescriptorsResponse(r, end, m = { descriptors: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.descriptors.push(decodeMetricDescriptor(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListMetricDescriptorsResponse runs past its end');
  return m;
}
export const ListMetricDescriptorsResponse = codec('ListMetricDescriptorsResponse', encodeListMetricDescriptorsResponse, decodeListMetricDescriptorsResponse);

function encodeMetricDescriptor(m, w) {
  if (m.name) w.uint32(10).string(m.name);
  if (m.help) w.uint32(18).string(m.help);
  if (m.labelKeys) for (const x of m.labelKeys) w.uint32(26).string(x);
}
function decodeMetricDescriptor(r, end, m = { name: '', help: '', labelKeys: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = r.stringVerify(); break;
      case 18: m.help = r.stringVerify(); break;
      case 26: m.labelKeys.push(r.stringVerify()); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('MetricDescriptor runs past its end');
  return m;
}
export const MetricDescriptor = codec('MetricDescriptor', encodeMetricDescriptor, decodeMetricDescriptor);

function encodeListPodSandboxMetricsRequest(m, w) {
}
function decodeListPodSandboxMetricsRequest(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListPodSandboxMetricsRequest runs past its end');
  return m;
}
export const ListPodSandboxMetricsRequest = codec('ListPodSandboxMetricsRequest', encodeListPodSandboxMetricsRequest, decodeListPodSandboxMetricsRequest);

function encodeListPodSandboxMetricsResponse(m, w) {
  if (m.podMetrics) for (const x of m.podMetrics) encodePodSandboxMetrics(x, w.uint32(10).fork()), w.ldelim();
}
function decodeListPodSandboxMetricsResponse(r, end, m = { podMetrics: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podMetrics.push(decodePodSandboxMetrics(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ListPodSandboxMetricsResponse runs past its end');
  return m;
}
export const ListPodSandboxMetricsResponse = codec('ListPodSandboxMetricsResponse', encodeListPodSandboxMetricsResponse, decodeListPodSandboxMetricsResponse);

function encodeStreamPodSandboxMetricsRequest(m, w) {
}
function decodeStreamPodSandboxMetricsRequest(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamPodSandboxMetricsRequest runs past its end');
  return m;
}
export const StreamPodSandboxMetricsRequest = codec('StreamPodSandboxMetricsRequest', encodeStreamPodSandboxMetricsRequest, decodeStreamPodSandboxMetricsRequest);

function encodeStreamPodSandboxMetricsResponse(m, w) {
  if (m.podSandboxMetrics) for (const x of m.podSandboxMetrics) encodePodSandboxMetrics(x, w.uint32(10).fork()), w.ldelim();
}
function decodeStreamPodSandboxMetricsResponse(r, end, m = { podSandboxMetrics: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxMetrics.push(decodePodSandboxMetrics(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('StreamPodSandboxMetricsResponse runs past its end');
  return m;
}
export const StreamPodSandboxMetricsResponse = codec('StreamPodSandboxMetricsResponse', encodeStreamPodSandboxMetricsResponse, decodeStreamPodSandboxMetricsResponse);

function encodePodSandboxMetrics(m, w) {
  if (m.podSandboxId) w.uint32(10).string(m.podSandboxId);
  if (m.metrics) for (const x of m.metrics) encodeMetric(x, w.uint32(18).fork()), w.ldelim();
  if (m.containerMetrics) for (const x of m.containerMetrics) encodeContainerMetrics(x, w.uint32(26).fork()), w.ldelim();
}
function decodePodSandboxMetrics(r, end, m = { podSandboxId: '', metrics: [], containerMetrics: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = r.stringVerify(); break;
      case 18: m.metrics.push(decodeMetric(r, ahead(r))); break;
      case 26: m.containerMetrics.push(decodeContainerMetrics(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PodSandboxMetrics runs past its end');
  return m;
}
export const PodSandboxMetrics = codec('PodSandboxMetrics', encodePodSandboxMetrics, decodePodSandboxMetrics);

function encodeContainerMetrics(m, w) {
  if (m.containerId) w.uint32(10).string(m.containerId);
  if (m.metrics) for (const x of m.metrics) encodeMetric(x, w.uint32(18).fork()), w.ldelim();
}
function decodeContainerMetrics(r, end, m = { containerId: '', metrics: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = r.stringVerify(); break;
      case 18: m.metrics.push(decodeMetric(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('ContainerMetrics runs past its end');
  return m;
}
export const ContainerMetrics = codec('ContainerMetrics', encodeContainerMetrics, decodeContainerMetrics);

function encodeMetric(m, w) {
  if (m.name) w.uint32(10).string(m.name);
  if (m.timestamp) w.uint32(16).int64(bits(m.timestamp));
  if (m.metricType) w.uint32(24).int32(m.metricType);
  if (m.labelValues) for (const x of m.labelValues) w.uint32(34).string(x);
  if (m.value) encodeUInt64Value(m.value, w.uint32(42).fork()), w.ldelim();
}
function decodeMetric(r, end, m = { name: '', timestamp: 0n, metricType: 0, labelValues: [], value: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = r.stringVerify(); break;
      case 16: m.timestamp = int64(r); break;
      case 24: m.metricType = r.int32(); break;
      case 34: m.labelValues.push(r.stringVerify()); break;
      case 42: m.value = decodeUInt64Value(r, ahead(r), m.value ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('Metric runs past its end');
  return m;
}
export const Metric = codec('Metric', encodeMetric, decodeMetric);

export const MetricType = Object.freeze({ COUNTER: 0, GAUGE: 1 });

function encodeRuntimeConfigRequest(m, w) {
}
function decodeRuntimeConfigRequest(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RuntimeConfigRequest runs past its end');
  return m;
}
export const RuntimeConfigRequest = codec('RuntimeConfigRequest', encodeRuntimeConfigRequest, decodeRuntimeConfigRequest);

function encodeRuntimeConfigResponse(m, w) {
  if (m.linux) encodeLinuxRuntimeConfiguration(m.linux, w.uint32(10).fork()), w.ldelim();
}
function decodeRuntimeConfigResponse(r, end, m = { linux: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.linux = decodeLinuxRuntimeConfiguration(r, ahead(r), m.linux ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('RuntimeConfigResponse runs past its end');
  return m;
}
export const RuntimeConfigResponse = codec('RuntimeConfigResponse', encodeRuntimeConfigResponse, decodeRuntimeConfigResponse);

function encodeLinuxRuntimeConfiguration(m, w) {
  if (m.cgroupDriver) w.uint32(8).int32(m.cgroupDriver);
}
function decodeLinuxRuntimeConfiguration(r, end, m = { cgroupDriver: 0 }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.cgroupDriver = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LinuxRuntimeConfiguration runs past its end');
  return m;
}
export const LinuxRuntimeConfiguration = codec('LinuxRuntimeConfiguration', encodeLinuxRuntimeConfiguration, decodeLinuxRuntimeConfiguration);

export const CgroupDriver = Object.freeze({ SYSTEMD: 0, CGROUPFS: 1 });

function encodeUpdatePodSandboxResourcesRequest(m, w) {
  if (m.podSandboxId) w.uint32(10).string(m.podSandboxId);
  if (m.overhead) encodeLinuxContainerResources(m.overhead, w.uint32(18).fork()), w.ldelim();
  if (m.resources) encodeLinuxContainerResources(m.resources, w.uint32(26).fork()), w.ldelim();
}
function decodeUpdatePodSandboxResourcesRequest(r, end, m = { podSandboxId: '', overhead: null, resources: null }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = r.stringVerify(); break;
      case 18: m.overhead = decodeLinuxContainerResources(r, ahead(r), m.overhead ?? undefined); break;
      case 26: m.resources = decodeLinuxContainerResources(r, ahead(r), m.resources ?? undefined); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('UpdatePodSandboxResourcesRequest runs past its end');
  return m;
}
export const UpdatePodSandboxResourcesRequest = codec('UpdatePodSandboxResourcesRequest', encodeUpdatePodSandboxResourcesRequest, decodeUpdatePodSandboxResourcesRequest);

function encodeUpdatePodSandboxResourcesResponse(m, w) {
}
function decodeUpdatePodSandboxResourcesResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('UpdatePodSandboxResourcesResponse runs past its end');
  return m;
}
export const UpdatePodSandboxResourcesResponse = codec('UpdatePodSandboxResourcesResponse', encodeUpdatePodSandboxResourcesResponse, decodeUpdatePodSandboxResourcesResponse);

function encodeLoadImageRequest(m, w) {
  if (m.path) w.uint32(10).string(m.path);
  if (m.name) w.uint32(18).string(m.name);
}
function decodeLoadImageRequest(r, end, m = { path: '', name: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.path = r.stringVerify(); break;
      case 18: m.name = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LoadImageRequest runs past its end');
  return m;
}
export const LoadImageRequest = codec('LoadImageRequest', encodeLoadImageRequest, decodeLoadImageRequest);

function encodeLoadedImage(m, w) {
  if (m.id) w.uint32(10).string(m.id);
  if (m.repoTags) for (const x of m.repoTags) w.uint32(18).string(x);
  if (m.size) w.uint32(24).uint64(bits(m.size));
}
function decodeLoadedImage(r, end, m = { id: '', repoTags: [], size: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = r.stringVerify(); break;
      case 18: m.repoTags.push(r.stringVerify()); break;
      case 24: m.size = uint64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LoadedImage runs past its end');
  return m;
}
export const LoadedImage = codec('LoadedImage', encodeLoadedImage, decodeLoadedImage);

function encodeLoadImageResponse(m, w) {
  if (m.images) for (const x of m.images) encodeLoadedImage(x, w.uint32(10).fork()), w.ldelim();
}
function decodeLoadImageResponse(r, end, m = { images: [] }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.images.push(decodeLoadedImage(r, ahead(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('LoadImageResponse runs past its end');
  return m;
}
export const LoadImageResponse = codec('LoadImageResponse', encodeLoadImageResponse, decodeLoadImageResponse);

function encodeSaveImageRequest(m, w) {
  if (m.images) for (const x of m.images) w.uint32(10).string(x);
  if (m.path) w.uint32(18).string(m.path);
  if (m.format) w.uint32(26).string(m.format);
  if (m.compression) w.uint32(34).string(m.compression);
}
function decodeSaveImageRequest(r, end, m = { images: [], path: '', format: '', compression: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.images.push(r.stringVerify()); break;
      case 18: m.path = r.stringVerify(); break;
      case 26: m.format = r.stringVerify(); break;
      case 34: m.compression = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('SaveImageRequest runs past its end');
  return m;
}
export const SaveImageRequest = codec('SaveImageRequest', encodeSaveImageRequest, decodeSaveImageRequest);

function encodeSaveImageResponse(m, w) {
}
function decodeSaveImageResponse(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('SaveImageResponse runs past its end');
  return m;
}
export const SaveImageResponse = codec('SaveImageResponse', encodeSaveImageResponse, decodeSaveImageResponse);

function encodeInspectImageRequest(m, w) {
  if (m.image) w.uint32(10).string(m.image);
}
function decodeInspectImageRequest(r, end, m = { image: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('InspectImageRequest runs past its end');
  return m;
}
export const InspectImageRequest = codec('InspectImageRequest', encodeInspectImageRequest, decodeInspectImageRequest);

function encodeInspectImageResponse(m, w) {
  if (m.json) w.uint32(10).string(m.json);
}
function decodeInspectImageResponse(r, end, m = { json: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.json = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('InspectImageResponse runs past its end');
  return m;
}
export const InspectImageResponse = codec('InspectImageResponse', encodeInspectImageResponse, decodeInspectImageResponse);

function encodeCheckRequest(m, w) {
  if (m.repair) w.uint32(8).bool(m.repair);
}
function decodeCheckRequest(r, end, m = { repair: false }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.repair = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CheckRequest runs past its end');
  return m;
}
export const CheckRequest = codec('CheckRequest', encodeCheckRequest, decodeCheckRequest);

function encodeCheckResponse(m, w) {
  if (m.json) w.uint32(10).string(m.json);
}
function decodeCheckResponse(r, end, m = { json: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.json = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CheckResponse runs past its end');
  return m;
}
export const CheckResponse = codec('CheckResponse', encodeCheckResponse, decodeCheckResponse);

function encodeWatchPullRequest(m, w) {
  if (m.image) w.uint32(10).string(m.image);
}
function decodeWatchPullRequest(r, end, m = { image: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WatchPullRequest runs past its end');
  return m;
}
export const WatchPullRequest = codec('WatchPullRequest', encodeWatchPullRequest, decodeWatchPullRequest);

function encodePulledLayer(m, w) {
  if (m.digest) w.uint32(10).string(m.digest);
  if (m.state) w.uint32(18).string(m.state);
  if (m.bytesDone) w.uint32(24).uint64(bits(m.bytesDone));
  if (m.bytesTotal) w.uint32(32).uint64(bits(m.bytesTotal));
}
function decodePulledLayer(r, end, m = { digest: '', state: '', bytesDone: 0n, bytesTotal: 0n }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.digest = r.stringVerify(); break;
      case 18: m.state = r.stringVerify(); break;
      case 24: m.bytesDone = uint64(r); break;
      case 32: m.bytesTotal = uint64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('PulledLayer runs past its end');
  return m;
}
export const PulledLayer = codec('PulledLayer', encodePulledLayer, decodePulledLayer);

function encodeWatchPullResponse(m, w) {
  if (m.layers) for (const x of m.layers) encodePulledLayer(x, w.uint32(10).fork()), w.ldelim();
  if (m.imageRef) w.uint32(18).string(m.imageRef);
}
function decodeWatchPullResponse(r, end, m = { layers: [], imageRef: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.layers.push(decodePulledLayer(r, ahead(r))); break;
      case 18: m.imageRef = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('WatchPullResponse runs past its end');
  return m;
}
export const WatchPullResponse = codec('WatchPullResponse', encodeWatchPullResponse, decodeWatchPullResponse);

function encodeCensusRequest(m, w) {
}
function decodeCensusRequest(r, end, m = {  }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CensusRequest runs past its end');
  return m;
}
export const CensusRequest = codec('CensusRequest', encodeCensusRequest, decodeCensusRequest);

function encodeCensusResponse(m, w) {
  if (m.json) w.uint32(10).string(m.json);
}
function decodeCensusResponse(r, end, m = { json: '' }) {
  while (r.pos < end) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.json = r.stringVerify(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (r.pos !== end) throw new RangeError('CensusResponse runs past its end');
  return m;
}
export const CensusResponse = codec('CensusResponse', encodeCensusResponse, decodeCensusResponse);

export const services = {
  'runtime.v1.RuntimeService': {
    Version: { request: VersionRequest, response: VersionResponse, stream: false },
    RunPodSandbox: { request: RunPodSandboxRequest, response: RunPodSandboxResponse, stream: false },
    StopPodSandbox: { request: StopPodSandboxRequest, response: StopPodSandboxResponse, stream: false },
    RemovePodSandbox: { request: RemovePodSandboxRequest, response: RemovePodSandboxResponse, stream: false },
    PodSandboxStatus: { request: PodSandboxStatusRequest, response: PodSandboxStatusResponse, stream: false },
    ListPodSandbox: { request: ListPodSandboxRequest, response: ListPodSandboxResponse, stream: false },
    StreamPodSandboxes: { request: StreamPodSandboxesRequest, response: StreamPodSandboxesResponse, stream: true },
    CreateContainer: { request: CreateContainerRequest, response: CreateContainerResponse, stream: false },
    StartContainer: { request: StartContainerRequest, response: StartContainerResponse, stream: false },
    StopContainer: { request: StopContainerRequest, response: StopContainerResponse, stream: false },
    RemoveContainer: { request: RemoveContainerRequest, response: RemoveContainerResponse, stream: false },
    ListContainers: { request: ListContainersRequest, response: ListContainersResponse, stream: false },
    StreamContainers: { request: StreamContainersRequest, response: StreamContainersResponse, stream: true },
    ContainerStatus: { request: ContainerStatusRequest, response: ContainerStatusResponse, stream: false },
    UpdateContainerResources: { request: UpdateContainerResourcesRequest, response: UpdateContainerResourcesResponse, stream: false },
    ReopenContainerLog: { request: ReopenContainerLogRequest, response: ReopenContainerLogResponse, stream: false },
    ExecSync: { request: ExecSyncRequest, response: ExecSyncResponse, stream: false },
    Exec: { request: ExecRequest, response: ExecResponse, stream: false },
    Attach: { request: AttachRequest, response: AttachResponse, stream: false },
    PortForward: { request: PortForwardRequest, response: PortForwardResponse, stream: false },
    ContainerStats: { request: ContainerStatsRequest, response: ContainerStatsResponse, stream: false },
    ListContainerStats: { request: ListContainerStatsRequest, response: ListContainerStatsResponse, stream: false },
    StreamContainerStats: { request: StreamContainerStatsRequest, response: StreamContainerStatsResponse, stream: true },
    PodSandboxStats: { request: PodSandboxStatsRequest, response: PodSandboxStatsResponse, stream: false },
    ListPodSandboxStats: { request: ListPodSandboxStatsRequest, response: ListPodSandboxStatsResponse, stream: false },
    StreamPodSandboxStats: { request: StreamPodSandboxStatsRequest, response: StreamPodSandboxStatsResponse, stream: true },
    UpdateRuntimeConfig: { request: UpdateRuntimeConfigRequest, response: UpdateRuntimeConfigResponse, stream: false },
    Status: { request: StatusRequest, response: StatusResponse, stream: false },
    CheckpointContainer: { request: CheckpointContainerRequest, response: CheckpointContainerResponse, stream: false },
    GetContainerEvents: { request: GetEventsRequest, response: ContainerEventResponse, stream: true },
    ListMetricDescriptors: { request: ListMetricDescriptorsRequest, response: ListMetricDescriptorsResponse, stream: false },
    ListPodSandboxMetrics: { request: ListPodSandboxMetricsRequest, response: ListPodSandboxMetricsResponse, stream: false },
    StreamPodSandboxMetrics: { request: StreamPodSandboxMetricsRequest, response: StreamPodSandboxMetricsResponse, stream: true },
    RuntimeConfig: { request: RuntimeConfigRequest, response: RuntimeConfigResponse, stream: false },
    UpdatePodSandboxResources: { request: UpdatePodSandboxResourcesRequest, response: UpdatePodSandboxResourcesResponse, stream: false },
  },
  'runtime.v1.ImageService': {
    ListImages: { request: ListImagesRequest, response: ListImagesResponse, stream: false },
    StreamImages: { request: StreamImagesRequest, response: StreamImagesResponse, stream: true },
    ImageStatus: { request: ImageStatusRequest, response: ImageStatusResponse, stream: false },
    PullImage: { request: PullImageRequest, response: PullImageResponse, stream: false },
    RemoveImage: { request: RemoveImageRequest, response: RemoveImageResponse, stream: false },
    ImageFsInfo: { request: ImageFsInfoRequest, response: ImageFsInfoResponse, stream: false },
  },
  'berth.v1.Admin': {
    LoadImage: { request: LoadImageRequest, response: LoadImageResponse, stream: false },
    WatchPull: { request: WatchPullRequest, response: WatchPullResponse, stream: true },
    SaveImage: { request: SaveImageRequest, response: SaveImageResponse, stream: false },
    InspectImage: { request: InspectImageRequest, response: InspectImageResponse, stream: false },
    Check: { request: CheckRequest, response: CheckResponse, stream: false },
    Census: { request: CensusRequest, response: CensusResponse, stream: false },
  },
};

export const redacted = ["password","auth","identityToken","registryToken"];
