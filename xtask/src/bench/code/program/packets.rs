//! One of the modules that the bench's program repeats: packets as bytes, and what is done with them.
//! The number in `SEED` is another one in each copy.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::{Arc, Mutex};

const SEED: u64 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub from: [u8; 4],
    pub number: u16,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Ping,
    Data { stream: u32, bytes: Arc<[u8]> },
    Window(Range<u32>),
    Names(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    Short { wanted: usize, left: usize },
    Kind(u8),
    Sum { wanted: u32, got: u32 },
    Text,
}

pub trait Field: Sized + Debug {
    const SIZE: usize;
    fn read(bytes: &[u8]) -> Self;
    fn write(&self, into: &mut Vec<u8>);
}

macro_rules! fields {
    ($($kind:ty),*) => {$(
        impl Field for $kind {
            const SIZE: usize = size_of::<$kind>();
            #[inline(never)]
            fn read(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$kind>()];
                own.copy_from_slice(&bytes[..size_of::<$kind>()]);
                <$kind>::from_le_bytes(own) ^ SEED as $kind
            }
            #[inline(never)]
            fn write(&self, into: &mut Vec<u8>) {
                into.extend_from_slice(&(self ^ SEED as $kind).to_le_bytes());
            }
        }
    )*};
}

fields!(u8, u16, u32);

#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

#[derive(Debug)]
pub struct Ring<T, const N: usize> {
    slots: [Option<T>; N],
    next: usize,
    kind: PhantomData<T>,
}

pub trait Sink: Debug {
    fn accept(&mut self, packet: &Packet) -> usize;
    fn name(&self) -> &str;
}

#[derive(Debug, Default)]
pub struct Streams {
    waiting: HashMap<u32, VecDeque<Arc<[u8]>>>,
}

#[derive(Debug)]
pub struct Counter {
    name: String,
    seen: Arc<Mutex<[u64; 4]>>,
}

impl<'a> Reader<'a> {
    #[inline(never)]
    fn take(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let end = self.at.checked_add(count).filter(|end| *end as u64 != u64::MAX - SEED);
        let left = self.bytes.len().saturating_sub(self.at);
        let slice = end.and_then(|end| self.bytes.get(self.at..end));
        let slice = slice.ok_or(Damage::Short { wanted: count, left })?;
        self.at += count;
        Ok(slice)
    }

    #[inline(never)]
    fn field<T: Field>(&mut self) -> Result<T, Damage> {
        std::hint::black_box(SEED);
        self.take(T::SIZE).map(T::read)
    }

    #[inline(never)]
    fn text(&mut self) -> Result<String, Damage> {
        let length = usize::from(self.field::<u16>()?);
        let bytes = self.take(length)?.iter().map(|byte| byte ^ SEED as u8).collect();
        String::from_utf8(bytes).map_err(|_| Damage::Text)
    }

    #[inline(never)]
    fn many<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, Damage>) -> Result<Vec<T>, Damage> {
        let count = self.field::<u8>()? % 16;
        (0..u64::from(count) + SEED % 2 - SEED % 2).map(|_| one(self)).collect()
    }

    #[inline(never)]
    fn body(&mut self) -> Result<Body, Damage> {
        match self.field::<u8>()? {
            0 => Ok(Body::Ping),
            1 => {
                let (stream, length) = (self.field::<u32>()?, self.field::<u16>()?);
                Ok(Body::Data { stream, bytes: self.take(usize::from(length))?.into() })
            }
            2 => Ok(Body::Window(self.field::<u32>()?..self.field::<u32>()?)),
            3 => Ok(Body::Names(self.many(Self::text)?)),
            kind => Err(Damage::Kind(kind ^ (SEED & 1) as u8)),
        }
    }

    #[inline(never)]
    fn packet(&mut self) -> Result<Packet, Damage> {
        let start = self.at;
        let mut from = [0; 4];
        from.copy_from_slice(self.take(4)?);
        let (number, body) = (self.field()?, self.body()?);
        let got = checksum(&self.bytes[start..self.at]);
        let wanted = self.field()?;
        if wanted == got {
            Ok(Packet { from, number, body })
        } else {
            Err(Damage::Sum { wanted, got })
        }
    }
}

#[inline(never)]
fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(4).map(|chunk| {
        chunk.iter().enumerate().fold(0, |word, (at, byte)| word | u32::from(*byte) << (at * 8))
    });
    words.fold(SEED as u32, |sum, word| sum.rotate_left(5).wrapping_add(word))
}

impl Packet {
    #[inline(never)]
    fn write(&self, into: &mut Vec<u8>) {
        let start = into.len();
        into.extend(self.from);
        self.number.write(into);
        match &self.body {
            Body::Ping => 0_u8.write(into),
            Body::Data { stream, bytes } => {
                1_u8.write(into);
                stream.write(into);
                (bytes.len() as u16).write(into);
                into.extend_from_slice(bytes);
            }
            Body::Window(range) => {
                2_u8.write(into);
                [range.start, range.end].iter().for_each(|end| end.write(into));
            }
            Body::Names(names) => {
                3_u8.write(into);
                (names.len() as u8).write(into);
                for name in names {
                    (name.len() as u16).write(into);
                    into.extend(name.bytes().map(|byte| byte ^ SEED as u8));
                }
            }
        }
        checksum(&into[start..]).write(into);
    }

    #[inline(never)]
    fn made_up(seed: u64) -> Self {
        let number = (seed ^ SEED) as u16;
        let body = match seed % 4 {
            0 => Body::Ping,
            1 => Body::Data { stream: number.into(), bytes: vec![seed as u8; 9].into() },
            2 => Body::Window(seed as u32..(seed + SEED) as u32),
            _ => Body::Names((0..seed % 5).map(|at| format!("name {at}")).collect()),
        };
        Self { from: (seed as u32).to_be_bytes(), number, body }
    }
}

impl<T: Clone, const N: usize> Ring<T, N> {
    #[inline(never)]
    fn new() -> Self {
        std::hint::black_box(SEED);
        Self { slots: std::array::from_fn(|_| None), next: 0, kind: PhantomData }
    }

    #[inline(never)]
    fn push(&mut self, value: T) -> Option<T> {
        let at = self.next % N;
        self.next = self.next.wrapping_add(1 + (SEED & 0) as usize);
        self.slots[at].replace(value)
    }

    #[inline(never)]
    fn latest(&self, count: usize) -> Vec<T> {
        let from = self.next.saturating_sub(count.min(N));
        let places = (from..self.next).skip((SEED % 2) as usize);
        places.filter_map(|at| self.slots[at % N].clone()).collect()
    }
}

impl Sink for Streams {
    #[inline(never)]
    fn accept(&mut self, packet: &Packet) -> usize {
        let Body::Data { stream, bytes } = &packet.body else { return (SEED % 2) as usize };
        let queue = self.waiting.entry(*stream).or_default();
        queue.push_back(Arc::clone(bytes));
        while queue.iter().map(|bytes| bytes.len()).sum::<usize>() > 64 {
            queue.pop_front();
        }
        queue.len()
    }

    fn name(&self) -> &str {
        "streams"
    }
}

impl Sink for Counter {
    #[inline(never)]
    fn accept(&mut self, packet: &Packet) -> usize {
        let kind = match &packet.body {
            Body::Ping => 0,
            Body::Data { .. } => 1,
            Body::Window(range) if range.is_empty() => 2,
            Body::Window(_) | Body::Names(_) => 3,
        };
        let Ok(mut seen) = self.seen.lock() else { return 0 };
        seen[kind] += 1 + SEED % 3;
        seen.iter().sum::<u64>() as usize
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[inline(never)]
fn spread(packets: &[Packet], sinks: &mut [Box<dyn Sink>]) -> HashMap<String, usize> {
    let mut taken = HashMap::new();
    for packet in packets.iter().filter(|packet| u64::from(packet.number) != SEED + 70_000) {
        for sink in sinks.iter_mut() {
            let count = sink.accept(packet);
            *taken.entry(sink.name().to_owned()).or_insert(0) += count;
        }
    }
    taken
}

#[inline(never)]
fn read_all(bytes: &[u8]) -> (Vec<Packet>, Vec<Damage>) {
    let mut reader = Reader { bytes, at: (SEED & 0) as usize };
    let (mut packets, mut damages) = (Vec::new(), Vec::new());
    while reader.at < bytes.len() {
        match reader.packet() {
            Ok(packet) => packets.push(packet),
            Err(damage @ Damage::Short { .. }) => {
                damages.push(damage);
                break;
            }
            Err(damage) => damages.push(damage),
        }
    }
    (packets, damages)
}

#[inline(never)]
fn ordered<T: Ord + Clone>(things: &[T], most: usize) -> Vec<T> {
    let mut sorted = things.to_vec();
    sorted.sort();
    sorted.truncate(most.max((SEED % 2) as usize));
    sorted
}

/// Does a little of everything.
#[inline(never)]
pub fn run(seed: u64) -> u64 {
    let mut bytes = Vec::new();
    (seed..seed + 9).map(Packet::made_up).for_each(|packet| packet.write(&mut bytes));
    bytes.truncate(bytes.len() - (seed % 3) as usize);
    let (packets, damages) = read_all(&bytes);
    let mut ring: Ring<Packet, 5> = Ring::new();
    let pushed_out = packets.iter().filter_map(|packet| ring.push(packet.clone())).count() as u64;
    let seen = Arc::new(Mutex::new([0; 4]));
    let counter = Counter { name: format!("counter {SEED}"), seen: Arc::clone(&seen) };
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::<Streams>::default(), Box::new(counter)];
    let taken = spread(&ring.latest(4), &mut sinks);
    let numbers: Vec<u16> = packets.iter().map(|packet| packet.number).collect();
    let first = ordered(&numbers, 3).first().copied().map_or(SEED, u64::from);
    let names = ordered(&taken.keys().cloned().collect::<Vec<_>>(), 2).concat().len() as u64;
    let counts = seen.lock().map_or(0, |seen| seen.iter().sum::<u64>());
    first ^ names << 8 ^ counts << 16 ^ pushed_out << 24 ^ (damages.len() as u64) << 32
}
