//! Members that leave, or are made to.

use std::collections::BTreeSet;

use super::convert;
use super::draft::Draft;
use super::records;
use crate::MemberId;

/// Removes members and begins a new epoch; if only members of the classic protocol stay, the group
/// becomes a classic one.
pub(super) fn fence_members(draft: &mut Draft, ids: &[MemberId]) {
    let ids: BTreeSet<_> = ids.iter().filter(|id| draft.group().member(id).is_some()).collect();
    if ids.is_empty() {
        return;
    }
    for id in ids {
        for record in records::whole_member_tombstones(&draft.name, id) {
            draft.write(record);
        }
    }
    if convert::may_downgrade(draft) {
        convert::downgrade(draft, true);
        return;
    }
    draft.resolve_regexes(false);
    let hash = draft.metadata_hash();
    draft.bump_epoch(hash);
}
