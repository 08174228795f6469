/** Node's HTTPS over HTTP/1.1, without reading what else the module exports (see http.ts). */
export const { Agent, request } = process.getBuiltinModule('node:https');
