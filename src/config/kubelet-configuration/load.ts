import { extname, join, resolve } from 'node:path';
import { listDir } from '#host/files.ts';
import { UsageError, describeError } from '#lib/errors.ts';
import type { Flags } from '../flags/values.ts';
import { readFeatureGates, type FeatureGates } from '../feature-gates/feature-gates.ts';
import { readDocument, type ConfigDocument } from '../schema/document.ts';
import type { Json } from '../schema/field.ts';
import { fieldValueOfFlag } from '../schema/from-flag.ts';
import { mergePatch } from '../schema/merge-patch.ts';
import { readObject, type Written } from '../schema/read.ts';
import { Settings } from '../schema/settings.ts';
import { defaultEvictionHard } from './eviction.ts';
import { kubeletConfigurationKind, kubeletFields } from './fields.ts';
import { validateKubeletSettings } from './validate.ts';

export interface KubeletConfiguration {
  settings: Settings;
  gates: FeatureGates;
  warnings: string[];
}

/** `*.conf` in the folder and below, in the order of their paths. */
async function dropIns(folder: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (at: string): Promise<void> => {
    const entries = await listDir(at);
    if (entries === undefined) throw new UsageError(`flag --config-dir: there is no folder ${at}`);
    for (const entry of entries) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (extname(entry.name) === '.conf') found.push(path);
    }
  };
  try {
    await walk(folder);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`flag --config-dir: ${folder} can’t be read: ${describeError(error)}`, {
      cause: error,
    });
  }
  return found;
}

/**
 * The main file with the defaults that upstream fills in before it merges drop-ins: a drop-in that names one hard
 * threshold adds it to the defaults, and one that names nodeStatusUpdateFrequency leaves the report frequency alone.
 */
function filledIn(file: Readonly<Record<string, Json>>): Record<string, Json> {
  const given = (file['evictionHard'] ?? undefined) as Record<string, Json> | undefined;
  const merge = file['mergeDefaultEvictionSettings'] === true;
  const update = file['nodeStatusUpdateFrequency'];
  return {
    nodeStatusReportFrequency: typeof update === 'string' ? update : '5m0s',
    ...file,
    evictionHard:
      given === undefined ? defaultEvictionHard : merge ? { ...defaultEvictionHard, ...given } : given,
  };
}

/** The file's fields; of a value of the merged object, the last file that has it tells where it is from. */
async function readFiles(
  file: string | undefined,
  folder: string | undefined,
): Promise<{ fields: Map<string, Written>; warnings: string[] }> {
  const warnings: string[] = [];
  const origins = new Map<string, Written>();
  const read = ({ value, origin }: ConfigDocument): void => {
    const found = readObject(value, kubeletFields, origin);
    warnings.push(...found.warnings);
    for (const [path, written] of found.fields) origins.set(path, written);
  };
  const main =
    file === undefined ? undefined : await readDocument(resolve(file), 'config', kubeletConfigurationKind);
  if (main !== undefined) read(main);
  let merged: Json = main === undefined ? {} : filledIn(main.value);
  for (const path of folder === undefined ? [] : await dropIns(resolve(folder))) {
    const document = await readDocument(path, 'config-dir', kubeletConfigurationKind);
    read(document);
    merged = mergePatch(merged, document.value);
  }
  const fields = new Map<string, Written>();
  const nowhere = { file: file ?? folder ?? '', lineOf: () => undefined };
  const whole = readObject(merged as Record<string, Json>, kubeletFields, nowhere);
  for (const [path, written] of whole.fields) {
    const known = origins.get(path);
    const isPath = kubeletFields.some((spec) => spec.path === path && spec.type === 'path');
    // A path was resolved by the file that names it.
    fields.set(path, known === undefined ? written : isPath ? known : { ...written, origin: known.origin });
  }
  return { fields, warnings };
}

/** Flags win over files; gates of both hold, and of one gate the flag's. */
function withFlags(fields: Map<string, Written>, flags: Flags, except: ReadonlySet<string>): void {
  for (const spec of kubeletFields) {
    const { flag, path } = spec;
    const given = flag === undefined || except.has(flag) ? undefined : flags.value(flag);
    if (flag === undefined || given === undefined) continue;
    const before = fields.get(path)?.value;
    const value = fieldValueOfFlag(spec, flag, given);
    // Upstream's flag only adds to the file.
    if (flag === 'seccomp-default' && value === false && before === true) continue;
    const merged =
      spec.type === 'gates'
        ? { ...(before as Record<string, Json> | undefined), ...(value as object) }
        : value;
    fields.set(path, { value: merged, origin: { flag } });
  }
}

/** Defaults that depend on other fields. */
function withDerived(settings: Settings): Settings {
  let all = settings;
  const derived = (path: string, value: Json): void => {
    all = all.with(path, value, { flag: path });
  };
  if (!all.has('evictionHard')) derived('evictionHard', defaultEvictionHard);
  if (!all.has('nodeStatusReportFrequency') && all.has('nodeStatusUpdateFrequency')) {
    derived('nodeStatusReportFrequency', all.json('nodeStatusUpdateFrequency') ?? null);
  }
  if (all.number('podPidsLimit') < 0) derived('podPidsLimit', -1);
  return all;
}

function concluded(fields: Map<string, Written>, warnings: readonly string[]): KubeletConfiguration {
  const settings = withDerived(new Settings(kubeletFields, fields));
  const { gates, warnings: idle } = readFeatureGates(
    settings.map<boolean>('featureGates'),
    settings.where('featureGates'),
  );
  validateKubeletSettings(settings, gates);
  return { settings, gates, warnings: [...warnings, ...settings.warnings(), ...idle] };
}

/**
 * The KubeletConfiguration that holds: built-in defaults, the file, its drop-ins, the flags, each over those before.
 * Throws UsageError that names file or flag, field, value and what is allowed; what has no effect is a warning.
 */
export async function loadKubeletConfiguration(flags: Flags): Promise<KubeletConfiguration> {
  const [file, folder] = ['config', 'config-dir'].map((name) => {
    const path = flags.string(name) ?? '';
    return path === '' ? undefined : path;
  });
  const { fields, warnings } = await readFiles(file, folder);
  withFlags(fields, flags, new Set());
  return concluded(fields, warnings);
}

/** The same without files. `except` names flags that are no field's here, whatever their name. */
export function kubeletConfigurationOfFlags(
  flags: Flags,
  except: readonly string[] = [],
): KubeletConfiguration {
  const fields = new Map<string, Written>();
  withFlags(fields, flags, new Set(except));
  return concluded(fields, []);
}
