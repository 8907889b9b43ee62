const HEAP = 'Beside resident memory: when this grows, objects are kept; when only that one, it is buffers.';

/** For docs/metrics.md: when somebody should look at a metric of the daemon. Each one has its line. */
export const WHEN_TO_LOOK: Record<string, string> = {
  berth_rpc_duration_seconds:
    'Pods start slowly, or the kubelet says that its runtime does not answer. Lists belong below 25 ms; other codes than OK and NOT_FOUND deserve a look at the log.',
  berth_stage_duration_seconds:
    'A call is slow: the stage says which part of the node is. `create` and `start` are the OCI runtime, `network` the plugins, `fetch` the registry, `unpack` the disk.',
  berth_stage_failures_total: 'It grows: pods fail to start. The stage names the part, the log the reason.',
  berth_build_info: 'After an upgrade: which nodes have the new version.',
  berth_streaming_sessions: 'Many for hours: somebody has left kubectl exec or port-forward open.',
  berth_streaming_streams: 'It grows while sessions do not: report it.',
  berth_streaming_sessions_total: 'Who uses exec and port-forward, and how often.',
  berth_streaming_refused_total:
    'It grows: URLs are used twice or too late (404), or more than `max_streams` sessions were asked for (503).',
  berth_sandboxes:
    'Many that are not ready: the kubelet does not collect them, or pods die with their sandbox.',
  berth_containers:
    'Many that are exited: jobs that are not cleaned up. The kubelet keeps one dead container of each.',
  berth_children: 'It should follow the number of containers and pods. When it grows alone, report it.',
  berth_debts:
    'Above 0 for more than some minutes: something of a removed pod cannot be given back. `berth status` says what and why.',
  berth_quarantined_records:
    'Above 0: records could not be read and were set aside. `berth status` names them.',
  berth_container_events_dropped_total: 'It grows: a follower of the events (the kubelet) reads too slowly.',
  berth_container_log_cuts_total:
    'It grows: containers write more than `runtime.max_log_bytes` between two rotations. The log names them.',
  berth_operations_in_flight:
    'High for long: something hangs. `berth status` shows each operation, its stage and since when.',
  berth_image_pulls_running: 'High for long: registries are slow, or pods wait for each other.',
  berth_image_fetched_bytes_total: 'Traffic from registries; with its rate, whether a mirror is used well.',
  berth_image_pulls_total: '`outcome="failed"` grows: images cannot be pulled. The log has the reason.',
  berth_image_pull_done_bytes: 'A pull seems to hang: this stands still.',
  berth_image_pull_size_bytes: 'How much a running pull is about.',
  process_start_time_seconds: 'It changes without an upgrade: the daemon restarts by itself.',
  process_resident_memory_bytes: 'It grows for hours without more pods: report it, with the heap beside it.',
  nodejs_heap_size_used_bytes: HEAP,
  process_open_fds: 'It follows the number of pods. When it grows alone, report it.',
  process_cpu_seconds_total: 'With its rate: what the daemon itself costs.',
  nodejs_eventloop_lag_max_seconds:
    'Above 0.2 again and again: calls wait for the daemon itself, or the node has no processor to give.',
  nodejs_eventloop_lag_p50_seconds: 'Above 0.02: the daemon or the node is overloaded.',
  nodejs_eventloop_lag_p99_seconds: 'Above 0.1: as the longest delay, without the single outlier.',
  berth_event_loop_stalls_total: 'Its rate: how often a caller may have noticed.',
};

/** The same for the metrics of the node agent. */
export const WHEN_TO_LOOK_AT_AGENTS: Record<string, string> = {
  berth_agent_build_info: 'After an upgrade: which nodes have the new agent.',
  berth_agent_api_requests_total:
    'Other codes than 200 and 201 grow: 403 wants rights, 409 on `events` is normal (told already), 429 is a throttling server, `none` an absent one. `verb="patch"` on `nodes` and `nodes/status` is what it writes: more than one in some minutes means that somebody changes it back.',
  berth_agent_api_throttled_total:
    'It grows: the API server wants less. The agent waits as long as it is asked to.',
  berth_agent_watch_reconnects_total:
    'Some an hour are normal: servers end watches after five to eight minutes. Many a minute: something on the way cuts connections.',
  berth_agent_resyncs_total: 'It grows often: the node was away for longer than the server remembers.',
  berth_agent_events_due: 'Above 0 for long: events cannot be sent; the log of the agent says why.',
  berth_agent_api_answers: '0 for more than a minute: `berth agent --check` on the node says why.',
  berth_agent_daemon_answers: '0 for more than a minute: the daemon is down, or hangs.',
  berth_agent_last_sync_timestamp_seconds:
    '`time()` less this is the age of what the Node says; usually below 15 seconds. Above 120: the Node may say what is long over.',
  berth_agent_still_seconds: 'Above 390 the agent is taken for dead, and its liveness probe fails.',
  process_start_time_seconds: 'It changes without an upgrade: the agent restarts by itself.',
  process_resident_memory_bytes: 'Above its usual 100 MB, and it grows: report it, with the heap beside it.',
  nodejs_heap_size_used_bytes: HEAP,
  process_open_fds: 'It grows for hours: report it.',
  process_cpu_seconds_total: 'With its rate: what the agent itself costs.',
};
