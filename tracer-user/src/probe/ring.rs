//! The user half of one kernel ring buffer (`kernel/bpf/ringbuf.c`): two position pages and the data,
//! mapped twice in a row so that a record never wraps.
//!
//! Unlike a general reader it says whether it saw the ring *empty* or stopped at a record still being
//! written: the merge builds on that.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use tracer_common::Record;

const HEADER: u64 = 8;
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;

/// How a pass over a ring ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All that was there when the pass began was taken.
    Whole,
    /// A record is still being written; what follows it is not visible yet.
    Busy,
    /// The limit of the pass was reached.
    Limited,
}

/// A mapped ring.
#[derive(Debug)]
pub struct Ring {
    _fd: OwnedFd,
    consumer: Mapping,
    producer: Mapping,
    size: u64,
    page: usize,
}

#[derive(Debug)]
struct Mapping {
    address: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone; the kernel's side is accessed atomically.
unsafe impl Send for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `Mapping::new` with this address and length, not used after this.
        let _ = unsafe { munmap(self.address.as_ptr().cast(), self.length) };
    }
}

impl Mapping {
    fn new(fd: &OwnedFd, length: usize, protection: ProtFlags, offset: u64) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, fd.as_fd(), offset)
        }?;
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { address, length })
    }

    fn counter(&self) -> &AtomicU64 {
        // SAFETY: the mapping starts with a page aligned 8-byte position that lives as long as `self`.
        unsafe { self.address.cast().as_ref() }
    }
}

impl Ring {
    /// Maps a ring of `size` bytes.
    ///
    /// # Errors
    ///
    /// Those of `mmap`.
    pub fn new(fd: OwnedFd, size: u32) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let consumer = Mapping::new(&fd, page, ProtFlags::READ | ProtFlags::WRITE, 0)?;
        let length = page + 2 * size as usize;
        let producer = Mapping::new(&fd, length, ProtFlags::READ, page as u64)?;
        Ok(Self { _fd: fd, consumer, producer, size: u64::from(size), page })
    }

    /// Takes up to `limit` records that were there when the call began.
    pub fn drain(&mut self, limit: usize, out: &mut Vec<Record>) -> Drained {
        let end = self.producer.counter().load(Ordering::Acquire);
        let mut position = self.consumer.counter().load(Ordering::Relaxed);
        let mut taken = 0;
        let mut result = Drained::Whole;
        while position < end {
            if taken == limit {
                result = Drained::Limited;
                break;
            }
            let offset = self.page + (position & (self.size - 1)) as usize;
            // SAFETY: positions below `end` lie in the data area, whose second mapping keeps a
            // record whole; headers are 8-byte aligned.
            let header = unsafe { self.producer.address.add(offset).cast::<AtomicU32>().as_ref() };
            let length = header.load(Ordering::Acquire);
            if length & BUSY != 0 {
                result = Drained::Busy;
                break;
            }
            let size = u64::from(length & !(BUSY | DISCARDED));
            if length & DISCARDED == 0 && size >= Record::SIZE as u64 {
                // SAFETY: the record is committed and `size` bytes long; `Record` is plain integers.
                out.push(unsafe {
                    self.producer.address.add(offset + HEADER as usize).cast::<Record>().read()
                });
                taken += 1;
            }
            position += (size + HEADER).next_multiple_of(8);
        }
        self.consumer.counter().store(position, Ordering::Release);
        result
    }

    /// Share of the ring that is filled, 0 to 1.
    #[must_use]
    pub fn fill(&self) -> f64 {
        let used = self
            .producer
            .counter()
            .load(Ordering::Relaxed)
            .saturating_sub(self.consumer.counter().load(Ordering::Relaxed));
        used as f64 / self.size as f64
    }
}
