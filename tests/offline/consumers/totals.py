"""Reads an export with the tools it is made for and prints what they find, as JSON.

usage: totals.py CONSUMER PATH [ARGUMENT]

The answer is an object by function name: [calls, self time in ns]. `(events lost)` has the number of
gaps, `(running TID)` the time that a thread ran. Everything else that a consumer must find is asserted here.
"""

import base64
import json
import pathlib
import sys
from collections import defaultdict


def perfetto(path, end_ns):
    """Perfetto's own protobuf classes; `end_ns` ends the slices that do not end."""
    from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as proto

    trace = proto.Trace()
    trace.ParseFromString(pathlib.Path(path).read_bytes())
    names, events, tracks = {}, defaultdict(list), {}
    kinds = defaultdict(int)
    flows = {"begin": set(), "end": set()}
    start = None
    for packet in trace.packet:
        for name in packet.interned_data.event_names:
            names[name.iid] = name.name
        kinds[packet.WhichOneof("data")] += 1
        if packet.HasField("clock_snapshot"):
            start = {clock.clock_id: clock.timestamp for clock in packet.clock_snapshot.clocks}[3]
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        if packet.HasField("track_event"):
            event = packet.track_event
            flows["begin"].update(event.flow_ids)
            flows["end"].update(event.terminating_flow_ids)
            if event.type != proto.TrackEvent.TYPE_INSTANT:
                events[event.track_uuid].append((packet.timestamp, event))
    assert flows["begin"] == flows["end"], flows
    assert kinds["generic_kernel_task_state_event"] > 0, kinds
    found = defaultdict(lambda: [0, 0])
    states = {}
    for packet in trace.packet:
        if packet.HasField("generic_kernel_task_state_event"):
            event = packet.generic_kernel_task_state_event
            state, since = states.get(event.tid, (None, 0))
            if state == event.TASK_STATE_RUNNING:
                found[f"(running {event.tid})"][1] += packet.timestamp - since
            states[event.tid] = (event.state, packet.timestamp)
    for tid, (state, since) in states.items():
        if state == proto.GenericKernelTaskStateEvent.TASK_STATE_RUNNING:
            found[f"(running {tid})"][1] += start + int(end_ns) - since
    for uuid, list_ in events.items():
        track = tracks[uuid]
        assert track.HasField("thread") or track.parent_uuid in tracks, track
        stack, now = [], 0
        for time, event in sorted(list_, key=lambda one: one[0]):
            if stack and track.HasField("thread"):
                found[stack[-1]][1] += time - now
            now = time
            if event.type == proto.TrackEvent.TYPE_SLICE_BEGIN:
                name = names[event.name_iid] if event.name_iid else event.name
                if track.HasField("thread"):
                    found[name][0] += 1
                elif name.endswith("events lost"):
                    found["(events lost)"][0] += 1
                stack.append(name)
            else:
                stack.pop()
        if stack:
            found[stack[-1]][1] += start + int(end_ns) - now
    return found


def trace_processor(path, shell):
    """Perfetto's trace processor itself."""
    from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig

    found = defaultdict(lambda: [0, 0])
    config = TraceProcessorConfig(bin_path=shell)
    with TraceProcessor(trace=path, config=config) as processor:
        for row in processor.query("select name, category, dur from slice where category = 'call'"):
            found[row.name][0] += 1
        states = list(processor.query("select count(*) as n from thread_state"))
        assert states[0].n > 0
        errors = processor.query("select name, value from stats where severity = 'error' and value > 0")
        assert not [(row.name, row.value) for row in errors]
    return {name: [count, None] for name, (count, _) in found.items()}


def duckdb(path):
    import duckdb

    found = duckdb.sql(
        f"""
        select f.name, count(*) filter (not c.inherited), sum(c.self_time)::bigint
        from read_parquet('{path}/calls/*.parquet') c
        join read_parquet('{path}/functions/*.parquet') f on f.id = c.function_id
        group by 1
        """
    ).fetchall()
    found = {name: [calls, ns] for name, calls, ns in found}
    running = duckdb.sql(
        f"""
        select tid, sum(duration)::bigint from read_parquet('{path}/slices/*.parquet')
        where state = 'running' group by 1
        """
    ).fetchall()
    found |= {f"(running {tid})": [0, ns] for tid, ns in running}
    gaps = duckdb.sql(f"select count(*) from read_parquet('{path}/gaps/*.parquet')").fetchall()[0][0]
    if gaps:
        found["(events lost)"] = [gaps, 0]
    return found


def pyarrow(path):
    import pyarrow.parquet as parquet

    names = {row["id"]: row["name"] for row in parquet.read_table(f"{path}/functions").to_pylist()}
    found = defaultdict(lambda: [0, 0])
    for row in parquet.read_table(f"{path}/calls").to_pylist():
        found[names[row["function_id"]]][0] += not row["inherited"]
        found[names[row["function_id"]]][1] += row["self_time"] or 0
    for table in ["slices", "syscalls", "wakeups", "threads"]:
        assert parquet.read_table(f"{path}/{table}").num_rows > 0, table
    gaps = parquet.read_table(f"{path}/gaps").num_rows
    if gaps:
        found["(events lost)"] = [gaps, 0]
    return found


def spans(batches):
    found = defaultdict(lambda: [0, 0])
    ids, parents = {}, []
    for batch in batches:
        for resource in batch.resource_spans:
            assert any(pair.key == "service.name" for pair in resource.resource.attributes)
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                assert (len(span.trace_id), len(span.span_id)) == (16, 8)
                assert span.start_time_unix_nano <= span.end_time_unix_nano
                ids[span.span_id] = span.trace_id
                parents += [(span.parent_span_id, span.trace_id)] if span.parent_span_id else []
                attributes = {pair.key: pair.value for pair in span.attributes}
                found[span.name][0] += 1
                if "scope.self_ns" in attributes:
                    found[span.name][1] += attributes["scope.self_ns"].int_value
    assert all(ids[parent] == trace for parent, trace in parents)
    return found


def otlp_file(path):
    """OTLP's JSON is protobuf's, but for ids, which are hexadecimal."""
    from google.protobuf import json_format
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    def convert(value):
        if isinstance(value, list):
            return [convert(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: base64.b64encode(bytes.fromhex(one)).decode()
            if key in ("traceId", "spanId", "parentSpanId")
            else convert(one)
            for key, one in value.items()
        }

    lines = pathlib.Path(path).read_text().splitlines()
    return spans(json_format.ParseDict(convert(json.loads(line)), TracesData()) for line in lines)


def otlp_bodies(path):
    """What was posted: a folder of request bodies."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    def request(file):
        message = ExportTraceServiceRequest()
        message.ParseFromString(file.read_bytes())
        return message

    return spans(request(file) for file in sorted(pathlib.Path(path).iterdir()))


def speedscope(path, schema):
    """The published schema, and the rules that it cannot say."""
    import jsonschema

    file = json.loads(pathlib.Path(path).read_text())
    jsonschema.validate(file, json.loads(pathlib.Path(schema).read_text()))
    frames = [frame["name"] for frame in file["shared"]["frames"]]
    found = defaultdict(lambda: [0, 0])
    for profile in file["profiles"]:
        stack, now = [], profile["startValue"]
        for event in profile["events"]:
            assert event["at"] >= now
            if stack:
                found[frames[stack[-1]].removesuffix(" (open at the end)")][1] += event["at"] - now
            now = event["at"]
            if event["type"] == "O":
                stack.append(event["frame"])
                found[frames[event["frame"]].removesuffix(" (open at the end)")][0] += 1
            else:
                assert stack.pop() == event["frame"]
        assert not stack and now <= profile["endValue"]
    return found


def find_rotel():
    """Where the collector is that the package `rotel` brings."""
    import rotel

    return str(pathlib.Path(rotel.__file__).parent / "rotel-agent")


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
