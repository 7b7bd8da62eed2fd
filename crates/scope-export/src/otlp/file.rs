//! OTLP in files: one `TracesData` a line, in OTLP's JSON: ids in hexadecimal, 64-bit numbers as text
//! ([file exporter](https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/)).

use std::io::{self, Write};

use super::proto::{KeyValue, Link, Span, TracesData, Value};
use crate::json;

/// Writes a line.
pub(super) fn line(out: &mut dyn Write, data: &TracesData) -> io::Result<()> {
    out.write_all(b"{\"resourceSpans\":[")?;
    for (index, resource) in data.resource_spans.iter().enumerate() {
        comma(out, index)?;
        out.write_all(b"{\"resource\":{")?;
        attributes(out, resource.resource.as_ref().map_or(&[], |resource| &resource.attributes))?;
        out.write_all(b"},\"scopeSpans\":[")?;
        for (index, scope) in resource.scope_spans.iter().enumerate() {
            comma(out, index)?;
            out.write_all(b"{")?;
            if let Some(scope) = &scope.scope {
                let (name, version) = (json::string(&scope.name), json::string(&scope.version));
                write!(out, "\"scope\":{{\"name\":{name},\"version\":{version}}},")?;
            }
            out.write_all(b"\"spans\":[")?;
            for (index, one) in scope.spans.iter().enumerate() {
                comma(out, index)?;
                span(out, one)?;
            }
            out.write_all(b"]}")?;
        }
        out.write_all(b"]}")?;
    }
    out.write_all(b"]}\n")
}

fn span(out: &mut dyn Write, span: &Span) -> io::Result<()> {
    write!(out, "{{\"traceId\":\"{}\",\"spanId\":\"{}\"", hex(&span.trace_id), hex(&span.span_id))?;
    if !span.parent_span_id.is_empty() {
        write!(out, ",\"parentSpanId\":\"{}\"", hex(&span.parent_span_id))?;
    }
    write!(
        out,
        ",\"name\":{},\"kind\":{},\"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\",",
        json::string(&span.name),
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano
    )?;
    attributes(out, &span.attributes)?;
    if !span.links.is_empty() {
        out.write_all(b",\"links\":[")?;
        for (index, one) in span.links.iter().enumerate() {
            comma(out, index)?;
            link(out, one)?;
        }
        out.write_all(b"]")?;
    }
    if span.dropped_links_count > 0 {
        write!(out, ",\"droppedLinksCount\":{}", span.dropped_links_count)?;
    }
    out.write_all(b"}")
}

fn link(out: &mut dyn Write, link: &Link) -> io::Result<()> {
    let (trace_id, span_id) = (hex(&link.trace_id), hex(&link.span_id));
    write!(out, "{{\"traceId\":\"{trace_id}\",\"spanId\":\"{span_id}\",")?;
    attributes(out, &link.attributes)?;
    out.write_all(b"}")
}

fn attributes(out: &mut dyn Write, attributes: &[KeyValue]) -> io::Result<()> {
    out.write_all(b"\"attributes\":[")?;
    for (index, attribute) in attributes.iter().enumerate() {
        comma(out, index)?;
        write!(out, "{{\"key\":{},\"value\":{{", json::string(&attribute.key))?;
        match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::Text(text)) => write!(out, "\"stringValue\":{}", json::string(text))?,
            Some(Value::Bool(value)) => write!(out, "\"boolValue\":{value}")?,
            Some(Value::Int(value)) => write!(out, "\"intValue\":\"{value}\"")?,
            None => {}
        }
        out.write_all(b"}}")?;
    }
    out.write_all(b"]")
}

fn comma(out: &mut dyn Write, index: usize) -> io::Result<()> {
    if index > 0 { out.write_all(b",") } else { Ok(()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
