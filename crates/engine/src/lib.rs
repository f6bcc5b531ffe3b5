//! The desktop's backend without a window.
