//! Perfetto's protobuf trace, for `ui.perfetto.dev` and `trace_processor`.
//!
//! | in the trace | in Perfetto |
//! |---|---|
//! | threads | tracks of threads, in tracks of their processes |
//! | calls | slices there, with arguments: the call's id, its value or how it ended, whether it crosses a gap |
//! | a call open at the end | a slice that does not end (`dur` -1) |
//! | scheduling | states of tasks: tables `thread_state` and `sched` |
//! | wake-ups | instants of both threads, with a flow between them |
//! | system calls, lost events | slices of tracks of their own below the thread's, since they need not nest with its calls |
//!
//! Scheduling goes out as `GenericKernelTaskStateEvent`, which says what one task does. The `sched_switch` of
//! ftrace would have to say what ran before and after on that CPU, which nobody recorded. It has no word for
//! an unknown state: after scheduler events were lost, a thread is `X` until it is known again, and the track of lost events says why.
//!
//! Timestamps are those of the recorded machine's `CLOCK_MONOTONIC`; a clock snapshot says what time of day that was.

mod proto;

use std::io::{self, Write};

use prost::Message;
use rustc_hash::{FxHashMap, FxHashSet};
use scope_model::{CallEnd, FunctionId, Pid, RunState, Tid};
use scope_timeline::{Timeline, syscall};

use crate::walk::{Call, Ending, Gap, Item, Sink, SyscallSlice, Thread, walk};
use crate::{Error, Summary, Window, functions};
use proto::{
    Clock, ClockSnapshot, DebugAnnotation, GenericKernelTaskStateEvent, Interned, InternedData,
    ProcessDescriptor, SourceLocation, SystemInfo, ThreadDescriptor, TracePacket,
    TracePacketDefaults, TrackDescriptor, TrackEvent, Utsname, Value,
};

/// Field 1 of `Trace`, length delimited: before every packet.
const PACKET: u8 = 0x0a;
/// The one sequence of packets.
const SEQUENCE: u32 = 1;
const INCREMENTAL_STATE_CLEARED: u32 = 1;
const NEEDS_INCREMENTAL_STATE: u32 = 2;
const CLOCK_REALTIME: u32 = 1;
const CLOCK_MONOTONIC: u32 = 3;

const SLICE_BEGIN: i32 = 1;
const SLICE_END: i32 = 2;
const INSTANT: i32 = 3;

/// Categories and names of arguments; the interned number is the index and one.
const CATEGORIES: [&str; 4] = ["call", "syscall", "wake-up", "gap"];
const CALL: u64 = 1;
const SYSCALL: u64 = 2;
const WAKE_UP: u64 = 3;
const GAP: u64 = 4;
const ARGUMENTS: [&str; 12] = [
    "call",
    "value",
    "end",
    "crosses_gap",
    "inherited",
    "began_ns",
    "result",
    "tid",
    "entries",
    "exits",
    "others",
    "return_address",
];
const ID: u64 = 1;
const VALUE: u64 = 2;
const END: u64 = 3;
const CROSSES_GAP: u64 = 4;
const INHERITED: u64 = 5;
const BEGAN_NS: u64 = 6;
const RESULT: u64 = 7;
const TID: u64 = 8;
const ENTRIES: u64 = 9;
const EXITS: u64 = 10;
const OTHERS: u64 = 11;
const RETURN_ADDRESS: u64 = 12;

/// States of `GenericKernelTaskStateEvent`.
const RUNNABLE: i32 = 2;
const RUNNING: i32 = 3;
const INTERRUPTIBLE_SLEEP: i32 = 4;
const UNINTERRUPTIBLE_SLEEP: i32 = 5;
const STOPPED: i32 = 6;
const DEAD: i32 = 7;
const DESTROYED: i32 = 8;

/// Interned names of system calls begin here; those of functions are below.
const FIRST_SYSCALL: u64 = 1 << 33;

/// Tracks of a thread: its calls, system calls and losses. The number of a track is that of the thread, and its kind.
const CALLS: u64 = 1;
const SYSCALLS: u64 = 2;
const LOSSES: u64 = 3;
/// Tracks of a process: itself and losses of threads unknown. The number is the process', and the kind.
const PROCESS: u64 = 1 << 60;
const PROCESS_LOSSES: u64 = 1 << 61;

/// Writes the trace.
///
/// # Errors
///
/// What reading the trace and writing give.
pub fn perfetto(
    timeline: &Timeline<'_>,
    window: &Window,
    progress: &mut dyn FnMut(u64),
    out: &mut dyn Write,
) -> Result<Summary, Error> {
    let mut writer = Writer {
        timeline,
        out,
        buffer: Vec::new(),
        names: FxHashSet::default(),
        processes: FxHashSet::default(),
        tracks: FxHashSet::default(),
        cpus: FxHashMap::default(),
        flows: 0,
        summary: Summary::default(),
    };
    writer.head()?;
    walk(timeline, window, progress, &mut writer)?;
    Ok(writer.summary)
}

struct Writer<'w> {
    timeline: &'w Timeline<'w>,
    out: &'w mut dyn Write,
    buffer: Vec<u8>,
    /// Interned names that were written.
    names: FxHashSet<u64>,
    /// Processes that were written.
    processes: FxHashSet<Pid>,
    /// Tracks beside those of the threads, of threads that live, that were written.
    tracks: FxHashSet<u64>,
    /// By thread number: the CPU it was on last; there only if its state was written.
    cpus: FxHashMap<usize, u16>,
    flows: u64,
    summary: Summary,
}

fn track(thread: &Thread, kind: u64) -> u64 {
    (thread.index as u64 + 1) << 2 | kind
}

fn argument(name: u64, value: Value) -> DebugAnnotation {
    DebugAnnotation { name_iid: Some(name), value: Some(value) }
}

fn interned(iid: u64, name: &str) -> Interned {
    Interned { iid: Some(iid), name: Some(name.to_owned()) }
}

impl Writer<'_> {
    fn packet(&mut self, packet: TracePacket) -> io::Result<()> {
        let packet = TracePacket { trusted_packet_sequence_id: Some(SEQUENCE), ..packet };
        self.buffer.clear();
        self.buffer.push(PACKET);
        packet.encode_length_delimited(&mut self.buffer).map_err(io::Error::other)?;
        self.out.write_all(&self.buffer)
    }

    /// Clocks, the machine, and the names that do not depend on the trace.
    fn head(&mut self) -> io::Result<()> {
        let manifest = self.timeline.trace().manifest();
        let clock = |id, ns| Clock { clock_id: Some(id), timestamp: Some(ns) };
        self.packet(TracePacket {
            clock_snapshot: Some(ClockSnapshot {
                clocks: vec![
                    clock(CLOCK_MONOTONIC, manifest.clock.monotonic_ns),
                    clock(CLOCK_REALTIME, manifest.clock.realtime_ns),
                ],
                primary_trace_clock: Some(CLOCK_MONOTONIC as i32),
            }),
            ..TracePacket::default()
        })?;
        self.packet(TracePacket {
            system_info: Some(SystemInfo {
                utsname: Some(Utsname {
                    sysname: Some("Linux".to_owned()),
                    release: Some(manifest.host.kernel.clone()),
                    machine: Some(manifest.host.machine.clone()),
                }),
            }),
            ..TracePacket::default()
        })?;
        let list =
            |names: &[&str]| (1..).zip(names).map(|(iid, name)| interned(iid, name)).collect();
        self.packet(TracePacket {
            sequence_flags: Some(INCREMENTAL_STATE_CLEARED),
            trace_packet_defaults: Some(TracePacketDefaults {
                timestamp_clock_id: Some(CLOCK_MONOTONIC),
            }),
            interned_data: Some(InternedData {
                event_categories: list(&CATEGORIES),
                debug_annotation_names: list(&ARGUMENTS),
                ..InternedData::default()
            }),
            ..TracePacket::default()
        })
    }

    fn event(
        &mut self,
        time_ns: u64,
        names: Option<InternedData>,
        event: TrackEvent,
    ) -> io::Result<()> {
        self.packet(TracePacket {
            timestamp: Some(time_ns),
            sequence_flags: Some(NEEDS_INCREMENTAL_STATE),
            interned_data: names,
            track_event: Some(event),
            ..TracePacket::default()
        })
    }

    fn descriptor(&mut self, descriptor: TrackDescriptor) -> io::Result<()> {
        self.packet(TracePacket { track_descriptor: Some(descriptor), ..TracePacket::default() })
    }

    fn process(&mut self, pid: Pid) -> io::Result<u64> {
        let uuid = PROCESS | u64::from(pid.0);
        if self.processes.insert(pid) {
            let target = &self.timeline.trace().manifest().target;
            let is_target = target.pid == pid.0;
            let name = target.executable.rsplit('/').next().unwrap_or_default().to_owned();
            self.descriptor(TrackDescriptor {
                uuid: Some(uuid),
                process: Some(ProcessDescriptor {
                    pid: Some(pid.0 as i32),
                    cmdline: if is_target { target.command.clone() } else { Vec::new() },
                    process_name: is_target.then_some(name),
                }),
                ..TrackDescriptor::default()
            })?;
        }
        Ok(uuid)
    }

    fn thread(&mut self, thread: &Thread) -> io::Result<()> {
        let parent_uuid = self.process(thread.pid)?;
        self.descriptor(TrackDescriptor {
            uuid: Some(track(thread, CALLS)),
            parent_uuid: Some(parent_uuid),
            thread: Some(ThreadDescriptor {
                pid: Some(thread.pid.0 as i32),
                tid: Some(thread.tid.0.into()),
                thread_name: Some(thread.name.text()),
            }),
            ..TrackDescriptor::default()
        })
    }

    /// A track beside the thread's own.
    fn beside(&mut self, thread: &Thread, kind: u64, name: &str) -> io::Result<u64> {
        let uuid = track(thread, kind);
        if self.tracks.insert(uuid) {
            self.descriptor(TrackDescriptor {
                uuid: Some(uuid),
                parent_uuid: Some(track(thread, CALLS)),
                name: Some(name.to_owned()),
                ..TrackDescriptor::default()
            })?;
        }
        Ok(uuid)
    }

    /// Name and place of a function, the first time it is called.
    fn function(&mut self, id: FunctionId) -> (u64, Option<InternedData>) {
        let iid = u64::from(id.0) + 1;
        if !self.names.insert(iid) {
            return (iid, None);
        }
        let trace = self.timeline.trace();
        let name = functions::name(trace, id);
        let function = functions::get(trace, id);
        let module = function.and_then(|function| functions::module(trace, function));
        let file = function.and_then(|function| function.file.as_deref()).or(module);
        let location = SourceLocation {
            iid: Some(iid),
            file_name: file.map(str::to_owned),
            function_name: Some(name.clone()),
            line_number: function.and_then(|function| function.line),
        };
        let names = InternedData {
            event_names: vec![interned(iid, &name)],
            source_locations: vec![location],
            ..InternedData::default()
        };
        (iid, Some(names))
    }

    fn enter(&mut self, thread: &Thread, call: &Call) -> io::Result<()> {
        let (iid, names) = self.function(call.function);
        let mut arguments = vec![argument(ID, Value::Uint(call.id))];
        if call.return_address != 0 {
            arguments.push(argument(RETURN_ADDRESS, Value::Pointer(call.return_address)));
        }
        if call.inherited {
            arguments.push(argument(INHERITED, Value::Bool(true)));
        }
        if call.is_cut() {
            let start_ns = self.timeline.trace().manifest().start_ns;
            let began_ns = functions::since(call.entered_ns, start_ns);
            arguments.push(argument(BEGAN_NS, Value::Int(began_ns)));
        }
        let event = TrackEvent {
            r#type: Some(SLICE_BEGIN),
            track_uuid: Some(track(thread, CALLS)),
            category_iids: vec![CALL],
            name_iid: Some(iid),
            source_location_iid: Some(iid),
            debug_annotations: arguments,
            ..TrackEvent::default()
        };
        self.event(call.since_ns, names, event)
    }

    fn leave(&mut self, thread: &Thread, ending: &Ending) -> io::Result<()> {
        let Some(end) = ending.end else { return Ok(()) };
        let mut arguments = match end {
            CallEnd::Returned => vec![argument(VALUE, Value::Pointer(ending.return_value))],
            end => vec![argument(END, Value::Text(end.name().to_owned()))],
        };
        if ending.crosses_gap {
            arguments.push(argument(CROSSES_GAP, Value::Bool(true)));
        }
        let event = TrackEvent {
            r#type: Some(SLICE_END),
            track_uuid: Some(track(thread, CALLS)),
            debug_annotations: arguments,
            ..TrackEvent::default()
        };
        self.event(ending.until_ns, None, event)
    }

    /// What the thread does from now on.
    fn state(&mut self, thread: &Thread) -> io::Result<()> {
        let known = match thread.run {
            RunState::Running { cpu: scope_model::state::CPU_UNKNOWN } | RunState::Unknown => None,
            RunState::Running { cpu } => {
                self.cpus.insert(thread.index, cpu);
                Some(RUNNING)
            }
            RunState::Runnable { .. } => Some(RUNNABLE),
            RunState::Blocked { state } if state & 1 != 0 => Some(INTERRUPTIBLE_SLEEP),
            RunState::Blocked { state } if state & 0xc != 0 => Some(STOPPED),
            RunState::Blocked { .. } => Some(UNINTERRUPTIBLE_SLEEP),
            RunState::Ended => Some(DEAD),
        };
        let was_written = self.cpus.contains_key(&thread.index);
        let state = match known {
            Some(state) => state,
            None if was_written => DESTROYED,
            None => return Ok(()),
        };
        let cpu = *self.cpus.entry(thread.index).or_default();
        self.packet(TracePacket {
            timestamp: Some(thread.now_ns),
            sequence_flags: Some(NEEDS_INCREMENTAL_STATE),
            generic_kernel_task_state_event: Some(GenericKernelTaskStateEvent {
                cpu: Some(cpu.into()),
                comm: Some(thread.name.text()),
                tid: Some(thread.tid.0.into()),
                state: Some(state),
            }),
            ..TracePacket::default()
        })
    }

    fn syscall(&mut self, thread: &Thread, slice: &SyscallSlice) -> io::Result<()> {
        let uuid = self.beside(thread, SYSCALLS, "system calls")?;
        let iid = FIRST_SYSCALL + u64::from(slice.number);
        let names = self.names.insert(iid).then(|| {
            let machine = &self.timeline.trace().manifest().host.machine;
            let name = match syscall::name(machine, slice.number) {
                Some(name) => interned(iid, name),
                None => interned(iid, &format!("syscall {}", slice.number)),
            };
            InternedData { event_names: vec![name], ..InternedData::default() }
        });
        let argument = match slice.result {
            Some(result) => argument(RESULT, Value::Int(result)),
            None => argument(END, Value::Text("not seen".to_owned())),
        };
        let begin = TrackEvent {
            r#type: Some(SLICE_BEGIN),
            track_uuid: Some(uuid),
            category_iids: vec![SYSCALL],
            name_iid: Some(iid),
            debug_annotations: vec![argument],
            ..TrackEvent::default()
        };
        self.event(slice.since_ns, names, begin)?;
        self.end(uuid, slice.until_ns)
    }

    fn end(&mut self, track_uuid: u64, time_ns: u64) -> io::Result<()> {
        let event = TrackEvent {
            r#type: Some(SLICE_END),
            track_uuid: Some(track_uuid),
            ..TrackEvent::default()
        };
        self.event(time_ns, None, event)
    }

    fn waking(&mut self, thread: &Thread, tid: Tid, waker: Option<&Thread>) -> io::Result<()> {
        let instant = |thread: &Thread, name: String, tid: Tid| TrackEvent {
            r#type: Some(INSTANT),
            track_uuid: Some(track(thread, CALLS)),
            category_iids: vec![WAKE_UP],
            name: Some(name),
            debug_annotations: vec![argument(TID, Value::Uint(tid.0.into()))],
            ..TrackEvent::default()
        };
        let mut woken = instant(thread, "woken".to_owned(), tid);
        if let Some(waker) = waker {
            self.flows += 1;
            woken.terminating_flow_ids = vec![self.flows];
            let mut wakes = instant(waker, "wakes".to_owned(), thread.tid);
            wakes.flow_ids = vec![self.flows];
            self.event(thread.now_ns, None, wakes)?;
        }
        self.event(thread.now_ns, None, woken)
    }

    fn lost(&mut self, track_uuid: u64, gap: &Gap) -> io::Result<()> {
        self.summary.lost_events += gap.total();
        let count = |name, count: u32| argument(name, Value::Uint(count.into()));
        let begin = TrackEvent {
            r#type: Some(SLICE_BEGIN),
            track_uuid: Some(track_uuid),
            category_iids: vec![GAP],
            name: Some(format!("{} events lost", gap.total())),
            debug_annotations: vec![
                count(ENTRIES, gap.entries),
                count(EXITS, gap.exits),
                count(OTHERS, gap.others),
            ],
            ..TrackEvent::default()
        };
        self.event(gap.since_ns, None, begin)?;
        self.end(track_uuid, gap.until_ns)
    }
}

impl Sink for Writer<'_> {
    fn take(&mut self, thread: &Thread, item: Item<'_>) -> Result<(), Error> {
        match item {
            Item::Begins | Item::Renamed => self.thread(thread)?,
            Item::Enter(call) => {
                self.summary.calls += 1;
                self.enter(thread, call)?;
            }
            Item::Leave(_, ending) => {
                self.summary.open_calls += u64::from(ending.end.is_none());
                self.leave(thread, ending)?;
            }
            Item::RunBegins => self.state(thread)?,
            Item::Syscall(slice) => self.syscall(thread, slice)?,
            Item::Waking(tid, waker) => self.waking(thread, tid, waker)?,
            Item::Gap(gap) => {
                let track = self.beside(thread, LOSSES, "lost events")?;
                self.lost(track, gap)?;
            }
            Item::Ends { .. } => {
                self.cpus.remove(&thread.index);
                self.tracks.remove(&track(thread, SYSCALLS));
                self.tracks.remove(&track(thread, LOSSES));
            }
            Item::Run(_) | Item::SyscallBegins(_) => {}
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), Error> {
        let target = Pid(self.timeline.trace().manifest().target.pid);
        let pid = if gap.pid == Pid(0) { target } else { gap.pid };
        let parent_uuid = self.process(pid)?;
        let uuid = PROCESS_LOSSES | u64::from(pid.0);
        if self.tracks.insert(uuid) {
            self.descriptor(TrackDescriptor {
                uuid: Some(uuid),
                parent_uuid: Some(parent_uuid),
                name: Some("lost events, of any thread".to_owned()),
                ..TrackDescriptor::default()
            })?;
        }
        Ok(self.lost(uuid, gap)?)
    }
}
