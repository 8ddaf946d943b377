//! InitProducerId: ids for idempotent producers, from blocks that the controller gives out.

use std::ops::Range;

use ottla_metadata::proposal::ProducerIdBlock;
use ottla_metadata::{Proposal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::error::Coded;
use super::{Context, admin_deadline};

/// How long a client waits for a new block, at most.
const BLOCK_TIMEOUT_MS: i32 = 10_000;

/// The block that this broker hands out from.
#[derive(Debug, Default)]
pub(crate) struct ProducerIds {
    block: Mutex<Range<i64>>,
    /// Only one request fetches the next block.
    refill: tokio::sync::Mutex<()>,
}

impl ProducerIds {
    fn take(&self) -> Option<i64> {
        self.block.lock().next()
    }

    async fn next(&self, context: &Context, deadline: Instant) -> Result<i64, ErrorCode> {
        loop {
            if let Some(id) = self.take() {
                return Ok(id);
            }
            let _refilling = self.refill.lock().await;
            if let Some(id) = self.take() {
                return Ok(id);
            }
            let block = allocate(context, deadline).await?;
            *self.block.lock() = block.first..block.first + i64::from(block.count);
        }
    }
}

async fn allocate(context: &Context, deadline: Instant) -> Result<ProducerIdBlock, ErrorCode> {
    let link = &context.broker.link;
    let proposal = Proposal::AllocateProducerIds;
    match link.controllers().propose(link.proposer(), &proposal, deadline).await {
        Ok((Reply::AllocateProducerIds(Ok(block)), _)) if block.count > 0 => Ok(block),
        Ok((Reply::AllocateProducerIds(Err(refusal)), _)) => {
            tracing::warn!("no producer ids: {refusal}");
            // The registration is being renewed: the client asks again.
            Err(ErrorCode::CoordinatorLoadInProgress)
        }
        Ok(_) => Err(ErrorCode::UnknownServerError),
        Err(error) => {
            tracing::warn!("no producer ids: {error}");
            Err(match error.code() {
                ErrorCode::RequestTimedOut => ErrorCode::CoordinatorLoadInProgress,
                code => code,
            })
        }
    }
}

pub(super) async fn handle(
    context: Context,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let failed = |code: ErrorCode| {
        InitProducerIdResponse::default()
            .with_error_code(code.code())
            .with_producer_id((-1).into())
            .with_producer_epoch(-1)
    };
    match request.transactional_id {
        Some(id) if id.is_empty() => return failed(ErrorCode::InvalidRequest),
        // There are no transactions yet.
        Some(_) => return failed(ErrorCode::CoordinatorNotAvailable),
        None => {}
    }
    let deadline = admin_deadline(BLOCK_TIMEOUT_MS);
    match context.broker.producer_ids.next(&context, deadline).await {
        Ok(id) => {
            InitProducerIdResponse::default().with_producer_id(id.into()).with_producer_epoch(0)
        }
        Err(code) => failed(code),
    }
}
