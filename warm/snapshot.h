/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What makes a fork cheaper: fork(2) copies the page tables of what a process has written to, page by page, and exit(2)
 * takes them down again. A dynamic program has written to much that it never writes to again: what the linker has
 * relocated, in each of its libraries. The mappings of a program's or library's file that have been written to are
 * therefore replaced, at the same addresses, by private mappings of a sealed copy (memfd_create(2), F_SEAL_WRITE).
 * Pages of a file are left out by fork(2); who needs one faults it in.
 *
 * They were private mappings of a file before, and no application discards or grows these. Anonymous memory stays: an
 * allocator may count on what MADV_DONTNEED and mremap(2) do to it. A copy has exactly the size of what it is of, and
 * no holes, which a fault would fill for everybody.
 */

/*
 * To be called in a process that has one thread. Signals wait: a handler would write to what has been copied already.
 * `proc` is a descriptor of a procfs. What cannot be replaced stays as it is: that costs time, nothing else. Called
 * again, it replaces what has been written to since.
 */
void snapshot_take(int proc);
