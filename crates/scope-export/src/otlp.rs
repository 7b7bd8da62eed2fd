//! OpenTelemetry spans: OTLP in a file, a batch a line, or posted to a collector.
//!
//! A call is a span. The calls that an outermost call of a thread leads to are one trace; its id is made of the
//! time the recording was made and the id of that call, a span's id of the call's, so that two exports give the same spans.
//! Spans go out as calls end. One that is open where the export ends has that as its end, and `scope.end` = `open`; the
//! format has no word for it. Lost events are spans of their own, `(events lost)`, below the call that was open. A wake-up
//! is a link from the call that waited to the call that woke it.
//!
//! Names of attributes are those of the semantic conventions where there are any, else begin with `scope.`.
//! Scheduling and system calls are not exported; their sums are attributes of each call.

mod file;
mod http;
mod proto;

use std::io::Write;

use rustc_hash::FxHashMap;
use scope_model::{CallEnd, Tid};
use scope_store::{Clock, Trace};
use scope_timeline::Timeline;

use crate::walk::{Call, Ending, Gap, Item, Sink, Thread, walk};
use crate::{Error, Summary, Window, functions};
use http::Receiver;
use proto::{
    AnyValue, InstrumentationScope, KeyValue, Link, Resource, ResourceSpans, ScopeSpans, Span,
    TracesData, Value,
};

/// Spans of a line or a request: what SDKs send at once.
const BATCH: usize = 512;
/// Links of a span; more are counted only.
const MOST_LINKS: usize = 128;
/// `SPAN_KIND_INTERNAL`
const INTERNAL: i32 = 1;
/// Ids of spans that are no calls have this bit.
const NO_CALL: u64 = 1 << 63;

/// Writes the spans, a batch a line.
///
/// # Errors
///
/// What reading the trace and writing give.
pub fn otlp_file(
    timeline: &Timeline<'_>,
    window: &Window,
    progress: &mut dyn FnMut(u64),
    out: &mut dyn Write,
) -> Result<Summary, Error> {
    otlp(timeline, window, progress, Receives::File(out))
}

/// Posts the spans to a collector's base address, such as `http://localhost:4318`.
///
/// # Errors
///
/// [`Error::Refused`]; what reading the trace gives.
pub fn otlp_http(
    timeline: &Timeline<'_>,
    window: &Window,
    progress: &mut dyn FnMut(u64),
    endpoint: &str,
) -> Result<Summary, Error> {
    otlp(timeline, window, progress, Receives::Http(Receiver::new(endpoint)?))
}

enum Receives<'w> {
    File(&'w mut dyn Write),
    Http(Receiver),
}

fn otlp(
    timeline: &Timeline<'_>,
    window: &Window,
    progress: &mut dyn FnMut(u64),
    receives: Receives<'_>,
) -> Result<Summary, Error> {
    let trace = timeline.trace();
    let spans = ScopeSpans {
        scope: Some(InstrumentationScope {
            name: "scope".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        spans: Vec::with_capacity(BATCH),
    };
    let batch = TracesData {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(trace)),
            scope_spans: vec![spans],
        }],
    };
    let mut writer = Writer {
        trace,
        clock: trace.manifest().clock,
        receives,
        batch,
        links: FxHashMap::default(),
        gaps: 0,
        summary: Summary::default(),
    };
    walk(timeline, window, progress, &mut writer)?;
    writer.flush()?;
    Ok(writer.summary)
}

fn resource(trace: &Trace) -> Resource {
    let manifest = trace.manifest();
    let name = manifest.target.executable.rsplit('/').next().unwrap_or_default();
    let attributes = vec![
        text("service.name", name),
        int("process.pid", manifest.target.pid.into()),
        text("process.executable.path", &manifest.target.executable),
        text("host.name", &manifest.host.hostname),
        text("host.arch", &manifest.host.machine),
        text("os.type", "linux"),
        text("os.version", &manifest.host.kernel),
    ];
    Resource { attributes }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::Text(value.to_owned()))
}

fn int(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::Int(i64::try_from(value).unwrap_or(i64::MAX)))
}

struct Writer<'t, 'w> {
    trace: &'t Trace,
    clock: Clock,
    receives: Receives<'w>,
    /// What is sent next.
    batch: TracesData,
    /// Links of open calls, by id, and how many were left out.
    links: FxHashMap<u64, (Vec<Link>, u32)>,
    gaps: u64,
    summary: Summary,
}

impl Writer<'_, '_> {
    /// A time of day, ns since 1970.
    fn unix_ns(&self, time_ns: u64) -> u64 {
        let offset = i128::from(self.clock.realtime_ns) - i128::from(self.clock.monotonic_ns);
        u64::try_from(i128::from(time_ns) + offset).unwrap_or_default()
    }

    fn trace_id(&self, number: u64) -> Vec<u8> {
        let created = self.trace.manifest().created_unix_ns;
        [created.to_be_bytes(), number.wrapping_add(1).to_be_bytes()].concat()
    }

    fn put(&mut self, span: Span) -> Result<(), Error> {
        let spans = &mut self.batch.resource_spans[0].scope_spans[0].spans;
        spans.push(span);
        if spans.len() == BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.batch.resource_spans[0].scope_spans[0].spans.is_empty() {
            return Ok(());
        }
        match &mut self.receives {
            Receives::File(out) => file::line(*out, &self.batch)?,
            Receives::Http(receiver) => receiver.send(&self.batch)?,
        }
        self.batch.resource_spans[0].scope_spans[0].spans.clear();
        Ok(())
    }

    fn call(&mut self, thread: &Thread, call: &Call, ending: &Ending) -> Result<(), Error> {
        self.summary.calls += 1;
        self.summary.open_calls += u64::from(ending.end.is_none());
        let name = functions::name(self.trace, call.function);
        let mut attributes = vec![
            int("thread.id", thread.tid.0.into()),
            text("thread.name", &thread.name.text()),
            text("code.function.name", &name),
        ];
        if let Some(function) = functions::get(self.trace, call.function) {
            attributes.extend(function.file.as_deref().map(|file| text("code.file.path", file)));
            attributes.extend(function.line.map(|line| int("code.line.number", line.into())));
        }
        attributes.push(int("scope.call", call.id));
        match ending.end {
            Some(CallEnd::Returned) => {
                let value = format!("{:#x}", ending.return_value);
                attributes.push(text("scope.return_value", &value));
            }
            Some(end) => attributes.push(text("scope.end", end.name())),
            None => attributes.push(text("scope.end", "open")),
        }
        let mut flag = |key, set: bool| {
            if set {
                attributes.push(attribute(key, Value::Bool(true)));
            }
        };
        flag("scope.crosses_gap", ending.crosses_gap);
        flag("scope.inherited", call.inherited);
        flag("scope.began_before", call.is_cut());
        let times = ending.times;
        attributes.push(int("scope.on_cpu_ns", times.running_ns));
        attributes.push(int("scope.off_cpu_ns", times.runnable_ns + times.blocked_ns));
        attributes.extend(ending.self_ns.map(|ns| int("scope.self_ns", ns)));
        let (links, dropped_links_count) = self.links.remove(&call.id).unwrap_or_default();
        let outermost = thread.calls.first().map_or(call.id, |outermost| outermost.id);
        let span = Span {
            trace_id: self.trace_id(outermost),
            span_id: span_id(call.id),
            parent_span_id: call.parent.map(span_id).unwrap_or_default(),
            name,
            kind: INTERNAL,
            start_time_unix_nano: self.unix_ns(call.since_ns),
            end_time_unix_nano: self.unix_ns(ending.until_ns),
            attributes,
            links,
            dropped_links_count,
        };
        self.put(span)
    }

    fn woken(&mut self, thread: &Thread, waker: &Thread) {
        let (Some(call), Some(by), Some(outermost)) =
            (thread.calls.last(), waker.calls.last(), waker.calls.first())
        else {
            return;
        };
        let trace_id = self.trace_id(outermost.id);
        let (links, left_out) = self.links.entry(call.id).or_default();
        if links.len() == MOST_LINKS {
            *left_out = left_out.saturating_add(1);
            return;
        }
        links.push(Link {
            trace_id,
            span_id: span_id(by.id),
            attributes: vec![text("scope.link", "woken_by")],
        });
    }

    fn lost(&mut self, thread: Option<&Thread>, gap: &Gap) -> Result<(), Error> {
        self.summary.lost_events += gap.total();
        let id = NO_CALL | self.gaps;
        self.gaps += 1;
        let calls = thread.map_or(&[] as &[Call], |thread| &thread.calls);
        let mut attributes = vec![
            int("scope.lost_entries", gap.entries.into()),
            int("scope.lost_exits", gap.exits.into()),
            int("scope.lost_others", gap.others.into()),
        ];
        if gap.tid != Tid(0) {
            attributes.push(int("thread.id", gap.tid.0.into()));
        }
        let span = Span {
            trace_id: self.trace_id(calls.first().map_or(id, |outermost| outermost.id)),
            span_id: id.wrapping_add(1).to_be_bytes().to_vec(),
            parent_span_id: calls.last().map(|call| span_id(call.id)).unwrap_or_default(),
            name: "(events lost)".to_owned(),
            kind: INTERNAL,
            start_time_unix_nano: self.unix_ns(gap.since_ns),
            end_time_unix_nano: self.unix_ns(gap.until_ns),
            attributes,
            links: Vec::new(),
            dropped_links_count: 0,
        };
        self.put(span)
    }
}

/// Never all zero, which is no id.
fn span_id(call: u64) -> Vec<u8> {
    call.wrapping_add(1).to_be_bytes().to_vec()
}

impl Sink for Writer<'_, '_> {
    fn take(&mut self, thread: &Thread, item: Item<'_>) -> Result<(), Error> {
        match item {
            Item::Leave(call, ending) => self.call(thread, call, ending),
            Item::Waking(_, Some(waker)) => {
                self.woken(thread, waker);
                Ok(())
            }
            Item::Gap(gap) => self.lost(Some(thread), gap),
            _ => Ok(()),
        }
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), Error> {
        self.lost(None, gap)
    }
}
