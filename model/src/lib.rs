//! The rules of conf change as a stateright model.
