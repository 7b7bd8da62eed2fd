//! Events as fixed-size records of 40 bytes, little endian: the encoding of hot segments.
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | time, ns |
//! | 8..12 | thread |
//! | 12..16 | process |
//! | 16 | kind |
//! | 17 | flags |
//! | 18..20 | small number: CPU, or how a call ended |
//! | 20..24 | id: function, system call, other thread, count |
//! | 24..32 | first word |
//! | 32..40 | second word |
//!
//! What a kind does not use is zero, and anything else there is an error: an event has one
//! encoding. The decoder is total: bytes that no encoder writes give an error, never a guess.

use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};

/// Size of an encoded event, in bytes.
pub(crate) const SIZE: usize = 40;

const ENTER: u8 = 1;
const LEAVE: u8 = 2;
const SWITCH_IN: u8 = 3;
const SWITCH_OUT: u8 = 4;
const WAKING: u8 = 5;
const THREAD_START: u8 = 6;
const THREAD_EXIT: u8 = 7;
const RENAME: u8 = 8;
const EXEC: u8 = 9;
const SYSCALL_ENTER: u8 = 10;
const SYSCALL_EXIT: u8 = 11;
const GAP: u8 = 12;

/// The kind-dependent part of a record.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) kind: u8,
    pub(crate) flag: bool,
    pub(crate) small: u16,
    pub(crate) id: u32,
    pub(crate) a: u64,
    pub(crate) b: u64,
}

/// Writes an event.
#[inline]
pub(crate) fn encode(event: &Event, out: &mut [u8; SIZE]) {
    let fields = fields_of(&event.kind);
    out[0..8].copy_from_slice(&event.time_ns.to_le_bytes());
    out[8..12].copy_from_slice(&event.tid.0.to_le_bytes());
    out[12..16].copy_from_slice(&event.pid.0.to_le_bytes());
    out[16] = fields.kind;
    out[17] = u8::from(fields.flag);
    out[18..20].copy_from_slice(&fields.small.to_le_bytes());
    out[20..24].copy_from_slice(&fields.id.to_le_bytes());
    out[24..32].copy_from_slice(&fields.a.to_le_bytes());
    out[32..40].copy_from_slice(&fields.b.to_le_bytes());
}

/// Reads an event; the error says what is wrong with the bytes.
#[inline]
pub(crate) fn decode(bytes: &[u8; SIZE]) -> Result<Event, &'static str> {
    let fields = Fields {
        kind: bytes[16],
        flag: match bytes[17] {
            0 => false,
            1 => true,
            _ => return Err("an event has unknown flags"),
        },
        small: u16::from_le_bytes([bytes[18], bytes[19]]),
        id: u32_at(bytes, 20),
        a: u64_at(bytes, 24),
        b: u64_at(bytes, 32),
    };
    let kind = checked_kind_of(&fields)?;
    Ok(Event {
        time_ns: u64_at(bytes, 0),
        tid: Tid(u32_at(bytes, 8)),
        pid: Pid(u32_at(bytes, 12)),
        kind,
    })
}

/// The kind that fields mean; an error where another encoding of it would be the right one.
#[inline]
pub(crate) fn checked_kind_of(fields: &Fields) -> Result<EventKind, &'static str> {
    let kind = kind_of(fields)?;
    if fields_of(&kind) != *fields {
        return Err("an event has bytes set that its kind does not use");
    }
    Ok(kind)
}

/// What a kind is written as.
#[inline]
pub(crate) fn fields_of(kind: &EventKind) -> Fields {
    match *kind {
        EventKind::Enter { function, return_address, stack_pointer, inherited } => Fields {
            kind: ENTER,
            flag: inherited,
            id: function.0,
            a: return_address,
            b: stack_pointer,
            ..Fields::default()
        },
        EventKind::Leave { function, end, return_value, crosses_gap } => Fields {
            kind: LEAVE,
            flag: crosses_gap,
            small: end as u16,
            id: function.0,
            a: return_value,
            ..Fields::default()
        },
        EventKind::SwitchIn { cpu } => Fields { kind: SWITCH_IN, small: cpu, ..Fields::default() },
        EventKind::SwitchOut { cpu, state } => {
            Fields { kind: SWITCH_OUT, small: cpu, id: state, ..Fields::default() }
        }
        EventKind::Waking { waker, waker_pid } => {
            Fields { kind: WAKING, id: waker.0, a: waker_pid.0.into(), ..Fields::default() }
        }
        EventKind::ThreadStart { parent, name } => named(THREAD_START, parent.0, name),
        EventKind::ThreadExit { code, last } => {
            Fields { kind: THREAD_EXIT, flag: last, id: code, ..Fields::default() }
        }
        EventKind::Rename { name } => named(RENAME, 0, name),
        EventKind::Exec { name } => named(EXEC, 0, name),
        EventKind::SyscallEnter { number } => {
            Fields { kind: SYSCALL_ENTER, id: number, ..Fields::default() }
        }
        EventKind::SyscallExit { number, result } => Fields {
            kind: SYSCALL_EXIT,
            id: number,
            a: result.cast_unsigned(),
            ..Fields::default()
        },
        EventKind::Gap { until_ns, entries, exits, others } => Fields {
            kind: GAP,
            id: entries,
            a: until_ns,
            b: u64::from(exits) | u64::from(others) << 32,
            ..Fields::default()
        },
    }
}

#[inline]
fn kind_of(fields: &Fields) -> Result<EventKind, &'static str> {
    Ok(match fields.kind {
        ENTER => EventKind::Enter {
            function: FunctionId(fields.id),
            return_address: fields.a,
            stack_pointer: fields.b,
            inherited: fields.flag,
        },
        LEAVE => EventKind::Leave {
            function: FunctionId(fields.id),
            end: u8::try_from(fields.small)
                .ok()
                .and_then(CallEnd::from_number)
                .ok_or("a call ends in an unknown way")?,
            return_value: fields.a,
            crosses_gap: fields.flag,
        },
        SWITCH_IN => EventKind::SwitchIn { cpu: fields.small },
        SWITCH_OUT => EventKind::SwitchOut { cpu: fields.small, state: fields.id },
        WAKING => EventKind::Waking { waker: Tid(fields.id), waker_pid: Pid(fields.a as u32) },
        THREAD_START => EventKind::ThreadStart { parent: Tid(fields.id), name: name(fields) },
        THREAD_EXIT => EventKind::ThreadExit { code: fields.id, last: fields.flag },
        RENAME => EventKind::Rename { name: name(fields) },
        EXEC => EventKind::Exec { name: name(fields) },
        SYSCALL_ENTER => EventKind::SyscallEnter { number: fields.id },
        SYSCALL_EXIT => {
            EventKind::SyscallExit { number: fields.id, result: fields.a.cast_signed() }
        }
        GAP => EventKind::Gap {
            until_ns: fields.a,
            entries: fields.id,
            exits: fields.b as u32,
            others: (fields.b >> 32) as u32,
        },
        _ => return Err("an event is of an unknown kind"),
    })
}

fn named(kind: u8, id: u32, name: ThreadName) -> Fields {
    Fields { kind, id, a: u64_at(&name.0, 0), b: u64_at(&name.0, 8), ..Fields::default() }
}

fn name(fields: &Fields) -> ThreadName {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&fields.a.to_le_bytes());
    bytes[8..].copy_from_slice(&fields.b.to_le_bytes());
    ThreadName(bytes)
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
