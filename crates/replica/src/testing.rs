//! A builder of valid journals.
