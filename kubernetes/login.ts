import type { Agent } from 'node:http';
import type { ConnectionOptions } from 'node:tls';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';

/** What TLS needs to know (tls.connect). */
export type TlsSettings = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'
>;

/** Where an API server is, and as whom to speak to it. */
export interface Login {
  /** `https://10.96.0.1:443`, or with a path behind it. */
  server: string;
  tls: TlsSettings;
  headers: Record<string, string | string[]>;
  /** Who makes the connection, where that takes more than TLS: a proxy. */
  agent?: Agent;
}

/** The login as it is now. Throws Fault `precondition` when what it is made of cannot be read. */
export type LoginSource = () => Promise<Login>;

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Whether the environment is that of a container in a cluster. */
export function isInCluster(environment: Record<string, string | undefined>): boolean {
  return Boolean(environment['KUBERNETES_SERVICE_HOST'] && environment['KUBERNETES_SERVICE_PORT']);
}

/**
 * The login of a pod's service account, from the projected volume at `directory` and the environment ("Accessing the
 * API from within a Pod"). The kubelet renews the token at four fifths of its life: it is read each time.
 */
export function serviceAccountLogin(
  environment: Record<string, string | undefined>,
  directory = SERVICE_ACCOUNT,
): LoginSource {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? '';
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${environment['KUBERNETES_SERVICE_PORT']}`;
  return async () => {
    try {
      const [ca, token] = await Promise.all(
        ['ca.crt', 'token'].map((name) => readFile(join(directory, name), 'utf8')),
      );
      return { server, tls: { ca: ca! }, headers: { authorization: `Bearer ${token!.trim()}` } };
    } catch (cause) {
      throw new Fault('precondition', 'The service account of this pod cannot be read', {
        cause,
        hint: 'see automountServiceAccountToken, or give a kubeconfig',
      });
    }
  };
}
