//! What holds for the engine whatever the table.

mod bounds;
mod laws;
mod reference;
mod strict;
mod tables;
