/** Pulls one image until it is killed: `node one-pull.ts ENDPOINT ROOT IMAGE`. */
import { makePod, startImageNode } from './image-node.ts';

const [endpoint = '', root = '', image = ''] = process.argv.slice(2);
const node = await startImageNode(endpoint, { root });
await node.ensure(makePod('killed'), image);
