//! The layer itself: each call goes to the system's layer, unless it is the one that fails.
//!
//! SAFETY, for everything here: SQLite calls these functions with what it was given by them. A [`File`] lies at the start
//! of memory of `szOsFile` bytes that SQLite keeps from `xOpen` to `xClose`; the system's own file lies right behind it.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    mem::size_of,
    ptr,
    sync::Once,
};

use rusqlite::ffi;

use crate::{Fault, Operation, disk_of, trips};

#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    disk: Option<usize>,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Without memory-mapped reads, which come with version 3: every read passes here.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes the layer the default of this process, once.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the system's layer lives as long as the process. Its functions but `xOpen` look at nothing of the table
        // that they are called with, so a copy of it serves; the copy is never freed.
        let taken = unsafe {
            let system = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!system.is_null(), "SQLite has a file layer");
            let mut ours = ptr::read(system);
            ours.pNext = ptr::null_mut();
            ours.zName = c"failing".as_ptr();
            ours.szOsFile += c_int::try_from(size_of::<File>()).unwrap_or(c_int::MAX);
            ours.pAppData = system.cast::<c_void>();
            ours.xOpen = Some(open);
            ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1)
        };
        assert_eq!(taken, ffi::SQLITE_OK, "SQLite takes the layer");
    });
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: see the module; `pAppData` is the system's layer.
    unsafe {
        let system = (*vfs).pAppData.cast::<ffi::sqlite3_vfs>();
        let disk = (!name.is_null())
            .then(|| CStr::from_ptr(name).to_string_lossy())
            .and_then(|path| disk_of(&path));
        ptr::write(
            file.cast::<File>(),
            File {
                base: ffi::sqlite3_file {
                    pMethods: ptr::null(),
                },
                disk,
            },
        );
        let inner = real(file);
        (*inner).pMethods = ptr::null();
        let Some(system_open) = (*system).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let answer = system_open(system, name, inner, flags, out);
        if !(*inner).pMethods.is_null() {
            (*file).pMethods = &raw const METHODS;
        }
        answer
    }
}

/// The system's file behind ours.
///
/// # Safety
/// `file` is one of ours.
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: the memory is `szOsFile` bytes, which we have enlarged by ours.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

/// Whether this operation on the file fails.
///
/// # Safety
/// `file` is one of ours.
unsafe fn fails(file: *mut ffi::sqlite3_file, operation: Operation) -> Option<Fault> {
    // SAFETY: the caller's word.
    trips(unsafe { (*file.cast::<File>()).disk }?, operation)
}

/// Passes a call on to the system's file.
macro_rules! pass_on {
    ($($name:ident => $method:ident($($argument:ident: $type:ty),*) $(-> $answer:ty, $otherwise:expr)?;)*) => {
        $(unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $type)*) $(-> $answer)? {
            // SAFETY: see the module.
            unsafe {
                let inner = real(file);
                match (*(*inner).pMethods).$method {
                    Some(method) => method(inner $(, $argument)*),
                    None => { $($otherwise)? }
                }
            }
        })*
    };
}

pass_on! {
    close => xClose() -> c_int, ffi::SQLITE_OK;
    system_read => xRead(into: *mut c_void, amount: c_int, at: i64) -> c_int, ffi::SQLITE_IOERR;
    system_write => xWrite(from: *const c_void, amount: c_int, at: i64) -> c_int, ffi::SQLITE_IOERR;
    system_truncate => xTruncate(size: i64) -> c_int, ffi::SQLITE_IOERR;
    system_sync => xSync(flags: c_int) -> c_int, ffi::SQLITE_IOERR;
    file_size => xFileSize(size: *mut i64) -> c_int, ffi::SQLITE_IOERR;
    lock => xLock(level: c_int) -> c_int, ffi::SQLITE_IOERR;
    unlock => xUnlock(level: c_int) -> c_int, ffi::SQLITE_IOERR;
    check_reserved_lock => xCheckReservedLock(out: *mut c_int) -> c_int, ffi::SQLITE_IOERR;
    file_control => xFileControl(control: c_int, argument: *mut c_void) -> c_int, ffi::SQLITE_NOTFOUND;
    sector_size => xSectorSize() -> c_int, 0;
    device_characteristics => xDeviceCharacteristics() -> c_int, 0;
    shm_map => xShmMap(page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int, ffi::SQLITE_IOERR;
    shm_lock => xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int, ffi::SQLITE_IOERR;
    shm_barrier => xShmBarrier();
    shm_unmap => xShmUnmap(delete: c_int) -> c_int, ffi::SQLITE_OK;
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, amount: c_int, at: i64) -> c_int {
    // SAFETY: see the module.
    unsafe {
        match fails(file, Operation::Read) {
            Some(_) => ffi::SQLITE_IOERR_READ,
            None => system_read(file, into, amount, at),
        }
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    amount: c_int,
    at: i64,
) -> c_int {
    // SAFETY: see the module; half of what there is to write is there as well.
    unsafe {
        match fails(file, Operation::Write) {
            Some(Fault::TornWrite) => {
                system_write(file, from, amount / 2, at);
                ffi::SQLITE_IOERR_WRITE
            }
            Some(Fault::Full) => ffi::SQLITE_FULL,
            Some(Fault::Read | Fault::Write | Fault::Sync) => ffi::SQLITE_IOERR_WRITE,
            None => system_write(file, from, amount, at),
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: see the module.
    unsafe {
        match fails(file, Operation::Write) {
            Some(_) => ffi::SQLITE_IOERR_TRUNCATE,
            None => system_truncate(file, size),
        }
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: see the module.
    unsafe {
        if fails(file, Operation::Sync).is_some() {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        match (*file.cast::<File>()).disk {
            // A test's power cut takes the files as they are: nobody has to wait for the real disk.
            Some(_) => ffi::SQLITE_OK,
            None => system_sync(file, flags),
        }
    }
}
