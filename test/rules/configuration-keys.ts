import { SECTIONS } from '../../cri/config/schema.ts';
import { lineOf, type Rule } from './source-tree.ts';

const NAMES = Object.keys(SECTIONS).filter((name) => name !== '');

/** `image.pinned` and `[cri] listen`, as documents name keys of the configuration in code spans. */
const NAMED = new RegExp(`\`(?:\\[(${NAMES.join('|')})\\] |(${NAMES.join('|')})\\.)([a-z_]+)`, 'g');

/** The chart's own values have names like these. */
const OF_THE_CHART = /^(deploy\/chart\/|docs\/helm\.md$)/;

/** Keys of the configuration that the documents name, held against the schema. */
export const configurationKeys: Rule = {
  name: 'docs: keys of the configuration that they name exist',
  check(tree) {
    return tree
      .paths()
      .filter((path) => path.endsWith('.md') && !OF_THE_CHART.test(path))
      .flatMap((path) => {
        const text = tree.text(path);
        return [...text.matchAll(NAMED)].flatMap((match) => {
          const section = (match[1] ?? match[2])!;
          const key = match[3]!;
          if (key in SECTIONS[section]! || (section === 'runtime' && key === 'handlers')) return [];
          return [{ path, line: lineOf(text, match.index), message: `no such key: ${section}.${key}` }];
        });
      });
  },
};
