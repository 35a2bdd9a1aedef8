//! Scores of a model against labelled data.

pub mod noise;
