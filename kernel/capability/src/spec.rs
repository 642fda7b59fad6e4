//! Placeholder for the abstract tree.
