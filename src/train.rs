//! Training is sufficient statistics: count, sum, fit, pack.

pub mod counts;
pub mod fit;
