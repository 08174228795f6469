import { HttpGetError, type HttpGetOptions, httpGet } from './http-get.ts';
import type { HttpRequest } from './http-request.ts';
import { type Outcome, failure, success } from './outcome.ts';

/** 2xx and 3xx are success; a redirect that leaves the host is too, with a warning. */
export async function probeHttp(request: HttpRequest, options: HttpGetOptions): Promise<Outcome> {
  try {
    const { status, body } = await httpGet(request, options);
    if (status >= 300 && status < 400)
      return { kind: 'warning', words: `Probe terminated redirects, Response body: ${body}` };
    if (status >= 200 && status < 300) return success(body);
    return failure(`HTTP probe failed with statuscode: ${status}`);
  } catch (error) {
    if (!(error instanceof HttpGetError)) throw error;
    // Upstream takes an answer that breaks off for a mistake of its own.
    return error.answered ? { kind: 'error', words: error.message } : failure(error.message);
  }
}
