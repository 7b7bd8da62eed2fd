//! The parts of a Firefox profile that all threads share, and what it says of itself.

use std::io::{self, Write};

use rustc_hash::FxHashMap;
use scope_model::FunctionId;
use scope_store::Trace;
use serde_json::json;

use crate::stacks::{Node, OTHERS, ROOT, Stacks};
use crate::{Summary, Window, functions, json as text};

/// The frame that stands for lost calls.
pub(super) const LOST: u32 = u32::MAX - 1;

/// Version of the processed profile format.
const VERSION: u32 = 70;
/// Version of Gecko's own format, which this is not.
const GECKO_VERSION: u32 = 24;

/// The strings that tables refer to.
#[derive(Debug, Default)]
pub(super) struct Strings {
    all: Vec<String>,
    of: FxHashMap<String, usize>,
}

impl Strings {
    /// Number of a string.
    pub(super) fn get(&mut self, string: &str) -> usize {
        if let Some(index) = self.of.get(string) {
            return *index;
        }
        self.all.push(string.to_owned());
        self.of.insert(string.to_owned(), self.all.len() - 1);
        self.all.len() - 1
    }
}

/// Writes a column of a table: its values as JSON.
fn column<T>(
    out: &mut dyn Write,
    name: &str,
    rows: impl IntoIterator<Item = T>,
    mut value: impl FnMut(T) -> String,
) -> io::Result<()> {
    write!(out, "\"{name}\":[")?;
    for (index, row) in rows.into_iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        out.write_all(value(row).as_bytes())?;
    }
    out.write_all(b"],")
}

fn same(out: &mut dyn Write, name: &str, length: usize, value: &str) -> io::Result<()> {
    column(out, name, 0..length, |_| value.to_owned())
}

fn or_null(index: Option<usize>) -> String {
    index.map_or_else(|| "null".to_owned(), |index| index.to_string())
}

/// A function of the profile. One frame stands for all places in it.
struct Function {
    name: usize,
    resource: Option<usize>,
    source: Option<usize>,
    line: Option<u32>,
}

/// Writes `profile.shared`.
pub(super) fn shared(
    out: &mut dyn Write,
    trace: &Trace,
    stacks: &Stacks,
    strings: &mut Strings,
) -> io::Result<()> {
    let mut list: Vec<Function> = Vec::new();
    let mut index_of: FxHashMap<u32, usize> = FxHashMap::default();
    let (mut resources, mut sources) = (Strings::default(), Strings::default());
    for node in 1..stacks.len() {
        let frame = stacks.frame(node as Node);
        index_of.entry(frame).or_insert_with(|| {
            let id = FunctionId(frame);
            let function = match frame {
                OTHERS | LOST => None,
                _ => functions::get(trace, id),
            };
            let name = match frame {
                OTHERS => "(more stacks, not told apart)".to_owned(),
                LOST => "(events lost)".to_owned(),
                _ => functions::name(trace, id),
            };
            let module = function.and_then(|function| functions::module(trace, function));
            let file = function.and_then(|function| function.file.as_deref());
            list.push(Function {
                name: strings.get(&name),
                resource: module.map(|path| resources.get(path.rsplit('/').next().unwrap_or(path))),
                source: file.map(|file| sources.get(file)),
                line: function.and_then(|function| function.line),
            });
            list.len() - 1
        });
    }
    let resource_names: Vec<usize> = resources.all.iter().map(|name| strings.get(name)).collect();
    let source_names: Vec<usize> = sources.all.iter().map(|name| strings.get(name)).collect();

    let nodes = || 1..stacks.len() as Node;
    out.write_all(b"{\"stackTable\":{")?;
    column(out, "frame", nodes(), |node| or_null(index_of.get(&stacks.frame(node)).copied()))?;
    column(out, "prefixOffset", nodes(), |node| match stacks.below(node) {
        ROOT => "0".to_owned(),
        below => (node - below).to_string(),
    })?;
    write!(out, "\"length\":{}}},\n\"frameTable\":{{", stacks.len() - 1)?;
    let length = list.len();
    column(out, "func", 0..length, |index| index.to_string())?;
    for (name, value) in [
        ("address", "-1"),
        ("lib", "-1"),
        ("inlineDepth", "0"),
        ("category", "0"),
        ("subcategory", "0"),
        ("nativeSymbol", "null"),
        ("innerWindowID", "0"),
        ("line", "null"),
        ("column", "null"),
        ("originalLocation", "null"),
    ] {
        same(out, name, length, value)?;
    }
    write!(out, "\"length\":{length}}},\n\"funcTable\":{{")?;
    column(out, "name", &list, |function| function.name.to_string())?;
    column(out, "resource", &list, |function| {
        function.resource.map_or_else(|| "-1".to_owned(), |index| index.to_string())
    })?;
    column(out, "source", &list, |function| or_null(function.source))?;
    column(out, "lineNumber", &list, |function| or_null(function.line.map(|line| line as usize)))?;
    for (name, value) in [
        ("isJS", "false"),
        ("relevantForJS", "false"),
        ("columnNumber", "null"),
        ("originalLocation", "null"),
    ] {
        same(out, name, length, value)?;
    }
    write!(out, "\"length\":{length}}},\n\"resourceTable\":{{")?;
    column(out, "name", &resource_names, ToString::to_string)?;
    same(out, "host", resource_names.len(), "null")?;
    same(out, "type", resource_names.len(), "1")?;
    write!(out, "\"length\":{}}},\n\"sources\":{{", resource_names.len())?;
    column(out, "filename", &source_names, ToString::to_string)?;
    for (name, value) in [
        ("id", "null"),
        ("startLine", "1"),
        ("startColumn", "1"),
        ("sourceMapURL", "null"),
        ("content", "null"),
    ] {
        same(out, name, source_names.len(), value)?;
    }
    write!(
        out,
        "\"length\":{}}},\n\"nativeSymbols\":{{\"libIndex\":[],\"address\":[],\"name\":[],\"functionSize\":[],\"length\":0}},\n\"sourceLocationTable\":{{\"source\":[],\"line\":[],\"column\":[],\"length\":0}},\n\"stringArray\":[",
        source_names.len()
    )?;
    for (index, string) in strings.all.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}{}", text::string(string))?;
    }
    out.write_all(b"]}")
}

/// Writes `profile.meta`.
pub(super) fn meta(
    out: &mut dyn Write,
    trace: &Trace,
    window: &Window,
    summary: &Summary,
) -> io::Result<()> {
    let manifest = trace.manifest();
    let offset = i128::from(manifest.clock.realtime_ns) - i128::from(manifest.clock.monotonic_ns);
    let start_unix_ns = i128::from(manifest.start_ns) + offset;
    let ms = |time_ns| functions::since(time_ns, manifest.start_ns) as f64 / 1e6;
    let field = |key: &str, label: &str, format: &str| json!({ "key": key, "label": label, "format": format });
    let display = ["marker-chart", "marker-table", "timeline-overview"];
    let schema = |name: &str, label: &str, fields: Vec<serde_json::Value>| {
        json!({
            "name": name, "tooltipLabel": "{marker.name}", "tableLabel": label,
            "chartLabel": label, "display": display, "fields": fields,
        })
    };
    let name = manifest.target.executable.rsplit('/').next().unwrap_or_default();
    let entry =
        |label: &str, value: u64| json!({ "label": label, "format": "integer", "value": value });
    let meta = json!({
        "interval": 1,
        "startTime": start_unix_ns as f64 / 1e6,
        "profilingStartTime": ms(window.from.time_ns),
        "profilingEndTime": ms(window.to.time_ns),
        "processType": 0,
        "categories": [{ "name": "Other", "color": "grey", "subcategories": ["Other"] }],
        "product": name,
        "stackwalk": 0,
        "version": GECKO_VERSION,
        "preprocessedProfileVersion": VERSION,
        "oscpu": format!("Linux {} {}", manifest.host.kernel, manifest.host.machine),
        "platform": "Linux",
        "arguments": manifest.target.command.join(" "),
        "logicalCPUs": manifest.host.cpus,
        "symbolicated": true,
        "symbolicationNotSupported": true,
        "importedFrom": format!("scope {}", env!("CARGO_PKG_VERSION")),
        "usesOnlyOneStackType": true,
        "sourceCodeIsNotOnSearchfox": true,
        "sampleUnits": { "time": "ms", "eventDelay": "ms", "threadCPUDelta": "ns" },
        "markerSchema": [
            schema("wait", "{marker.data.syscall}", vec![
                field("syscall", "System call", "string"),
                field("waker", "Woken by thread", "integer"),
            ]),
            schema("syscall", "{marker.data.result}", vec![field("result", "Result", "integer")]),
            schema("gap", "{marker.name}", vec![
                field("entries", "Entries lost", "integer"),
                field("exits", "Exits lost", "integer"),
                field("others", "Other events lost", "integer"),
            ]),
            schema("call", "{marker.data.function}", vec![
                field("function", "Function", "string"),
                field("call", "Call", "integer"),
            ]),
        ],
        "extra": [{
            "label": "Trace",
            "entries": [
                entry("Lost events", summary.lost_events),
                entry("Calls open at the end", summary.open_calls),
            ],
        }],
    });
    serde_json::to_writer(out, &meta).map_err(io::Error::from)
}
