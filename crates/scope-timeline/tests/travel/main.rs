//! Time travel over stored traces, against a model that holds all events and walks them one by one.

mod generate;
mod model;
mod scenario;
mod states;
mod steps;
mod store;
