//! How a recording is getting on, as its recorder tells it while it records: a part of the trace, so that
//! whoever reads the trace sees it, in any process and at any time.
//!
//! Numbers of a few hundred moments are kept, those long ago farther apart. None of it is needed to read
//! events, and a trace without it is whole.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{StoreError, Trace, write_part};

/// Name of the part.
const PART: &str = "health";
/// Samples that are kept.
const MOST_SAMPLES: usize = 512;
/// The newest ones are kept as they came.
const NEWEST: usize = 128;
/// Notes that are kept.
const MOST_NOTES: usize = 1_000;

/// How a recording is getting on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Rings, one a CPU.
    pub rings: u32,
    /// Bytes of each.
    pub ring_bytes: u64,
    /// Numbers at moments, in order.
    pub samples: Vec<HealthSample>,
    /// What somebody had the recorder do, in order.
    pub notes: Vec<HealthNote>,
}

/// Numbers at one moment, counted from the start of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthSample {
    /// `CLOCK_MONOTONIC`, ns.
    pub time_ns: u64,
    /// Events written.
    pub events: u64,
    /// Records lost in the rings.
    pub lost: u64,
    /// Records dropped since sealing or the disk was behind.
    pub dropped: u64,
    /// Bytes of the trace.
    pub bytes: u64,
    /// CPU time of the recorder, ns.
    pub cpu_ns: u64,
    /// Fill of the fullest ring since the sample before, in thousandths.
    pub ring_fill: u32,
    /// Segments that wait to be sealed, with the one that is written.
    pub hot_segments: u32,
    /// How many there may be.
    pub max_hot_segments: u32,
}

/// Something that was done to the recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthNote {
    /// `CLOCK_MONOTONIC`, ns.
    pub time_ns: u64,
    /// What, as a clause for a person.
    pub text: String,
    /// From then on no calls are recorded, or calls are recorded again; `None` where it changed
    /// neither.
    pub paused: Option<bool>,
}

impl Health {
    /// Adds a sample; of those long ago every other one goes when there are too many.
    pub fn push(&mut self, sample: HealthSample) {
        self.samples.push(sample);
        if self.samples.len() > MOST_SAMPLES {
            let newest = self.samples.len() - NEWEST;
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index > newest || index % 2 == 1
            });
        }
    }

    /// Adds a note; the oldest goes when there are too many.
    pub fn note(&mut self, note: HealthNote) {
        if self.notes.len() >= MOST_NOTES {
            self.notes.remove(0);
        }
        self.notes.push(note);
    }

    /// When no calls were recorded because somebody wanted it so: from when and up to when,
    /// `CLOCK_MONOTONIC`, ns; `None` for one that has not ended.
    #[must_use]
    pub fn pauses(&self) -> Vec<(u64, Option<u64>)> {
        let mut pauses: Vec<(u64, Option<u64>)> = Vec::new();
        for note in &self.notes {
            let going_on = pauses.last_mut().filter(|(_, until_ns)| until_ns.is_none());
            match (note.paused, going_on) {
                (Some(true), None) => pauses.push((note.time_ns, None)),
                (Some(false), Some((_, until_ns))) => *until_ns = Some(note.time_ns),
                _ => {}
            }
        }
        pauses
    }

    /// Puts it into the trace in a folder, in place of what was told before.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn write(&self, trace: &Path) -> Result<(), StoreError> {
        let text = serde_json::to_vec(self)
            .map_err(|error| StoreError::io("write", trace, 0)(std::io::Error::other(error)))?;
        write_part(trace, PART, &text).map(drop)
    }
}

impl Trace {
    /// What the recorder told last of how it is getting on; `None` where it did not.
    ///
    /// # Errors
    ///
    /// Damage; what the system says.
    pub fn health(&self) -> Result<Option<Health>, StoreError> {
        let Some(bytes) = self.parts().read(PART)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| StoreError::Malformed {
            file: self.path().to_path_buf(),
            offset: 0,
            what: "the recorder's numbers are not what they should be",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, HealthNote, HealthSample, MOST_SAMPLES};

    #[test]
    fn pauses_are_told_once_each() {
        let mut health = Health::default();
        let noted = [(1, None), (2, Some(false)), (3, Some(true)), (4, Some(true)), (5, None)];
        for (time_ns, paused) in noted.into_iter().chain([(6, Some(false)), (8, Some(true))]) {
            health.note(HealthNote { time_ns, paused, ..HealthNote::default() });
        }
        assert_eq!(health.pauses(), [(3, Some(6)), (8, None)]);
    }

    #[test]
    fn a_long_recording_keeps_its_start_and_its_newest_samples() {
        let mut health = Health::default();
        for time_ns in 0..100_000 {
            health.push(HealthSample { time_ns, ..HealthSample::default() });
        }
        let times: Vec<u64> = health.samples.iter().map(|sample| sample.time_ns).collect();
        assert!(times.len() <= MOST_SAMPLES && times.is_sorted());
        assert_eq!(times.first(), Some(&0));
        assert!(times.ends_with(&[99_997, 99_998, 99_999]));
    }
}
