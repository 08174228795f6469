import { describe, expect, test } from 'vitest';
import { InternalError } from './errors.ts';
import { MetricsRegistry } from './metrics.ts';

describe('MetricsRegistry', () => {
  test('writes counters, gauges and histograms in Prometheus text', () => {
    const metrics = new MetricsRegistry();
    const calls = metrics.counter('calls_total', 'Calls.\nAll of "them".', ['method', 'code']);
    calls.add({ method: 'GET', code: '200' });
    calls.add({ code: '200', method: 'GET' }, 2);
    calls.add({ method: 'a"b\\c\nd', code: '' });
    const age = metrics.gauge('age_seconds', 'Age.');
    age.set({}, 1.5);
    const took = metrics.histogram('took_seconds', 'Time.', ['verb'], [0.1, 1]);
    for (const value of [0.05, 0.1, 0.7, 3]) took.observe({ verb: 'GET' }, value);
    metrics.counter('never_total', 'Nothing yet.');
    expect(metrics.text()).toBe(
      [
        '# HELP age_seconds Age.',
        '# TYPE age_seconds gauge',
        'age_seconds 1.5',
        '# HELP calls_total Calls.\\nAll of "them".',
        '# TYPE calls_total counter',
        'calls_total{method="GET",code="200"} 3',
        'calls_total{method="a\\"b\\\\c\\nd",code=""} 1',
        '# HELP took_seconds Time.',
        '# TYPE took_seconds histogram',
        'took_seconds_bucket{verb="GET",le="0.1"} 2',
        'took_seconds_bucket{verb="GET",le="1"} 3',
        'took_seconds_bucket{verb="GET",le="+Inf"} 4',
        'took_seconds_sum{verb="GET"} 3.85',
        'took_seconds_count{verb="GET"} 4',
        '',
      ].join('\n'),
    );
  });

  test('gives the metric that is there, and refuses another shape of it', () => {
    const metrics = new MetricsRegistry();
    const first = metrics.gauge('one', 'One.', ['a']);
    expect(metrics.gauge('one', 'One.', ['a'])).toBe(first);
    expect(() => metrics.gauge('one', 'One.', ['b'])).toThrow(InternalError);
    expect(() => metrics.counter('one', 'One.', ['a'])).toThrow(InternalError);
  });

  test('a series can be taken out', () => {
    const metrics = new MetricsRegistry();
    const gauge = metrics.gauge('one', 'One.', ['a']);
    gauge.set({ a: 'x' }, 1);
    gauge.remove({ a: 'x' });
    expect(metrics.text()).toBe('');
  });
});
