//! The crate's tests, a file a feature.

mod calls;
mod control_flow;
mod data_flow;
mod debug_info;
mod edits;
mod lookup;
mod node_ids;
mod patterns;
mod peers;
mod robustness;
