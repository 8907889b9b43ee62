import { commandLines } from './command-lines.ts';
import { configurationKeys } from './configuration-keys.ts';
import { criCoverage } from './coverage.ts';
import * as documents from './documents.ts';
import * as files from './files.ts';
import * as packages from './packages.ts';
import * as rooms from './rooms.ts';
import type { Rule } from './source-tree.ts';

/** Every rule of the house, in the order in which the gate runs them. */
export const RULES: readonly Rule[] = [
  rooms.roomImports,
  rooms.forbiddenModules,
  rooms.noCycles,
  files.fileSize,
  files.exportedDocs,
  files.noMachinePaths,
  packages.dependencyLines,
  packages.runtimeDependencies,
  packages.exactVersions,
  packages.lockWithoutAddresses,
  packages.lockIsWhole,
  documents.requiredDocuments,
  documents.linksResolve,
  documents.commandsExist,
  commandLines,
  configurationKeys,
  documents.roomsDescribed,
  documents.symptomsDescribed,
  documents.documentsListed,
  criCoverage,
];
