/**
 * Node's HTTP/1.1, the same functions as `node:http` has. An import of that module reads everything that it exports,
 * and its WebSocket brings in all of Node's fetch with it: 5 MB and 25 ms for every process, the command line's too.
 */
export const { Agent, STATUS_CODES, createServer, get, request } = process.getBuiltinModule('node:http');
