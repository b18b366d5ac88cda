-- Which consent speaks for a linked bank account on a day: among the valid ones whose purpose fits
-- and that cover transactions, the one with the freshest fetch. One only, or a transaction that was
-- fetched under two consents would count twice. Deposit accounts only: what moves in a term deposit
-- is no income and no spending.
with

fetches as (
    select
        consent_id,
        link_ref_number,
        fetched_at_utc,
        currency,
        current_balance,
        {{ known_interval(['consent_id', 'link_ref_number', 'fetched_at_utc']) }}
    from {{ ref('stg_aa_accounts') }}
    where fi_type = 'DEPOSIT'
),

candidates as (
    select
        days.as_of_date,
        coverage.customer_id,
        fetches.link_ref_number,
        fetches.consent_id,
        max(fetches.fetched_at_utc) as last_fetched_at_utc,
        -- One version of a fetch is known at a cut-off, so no two rows share the newest instant.
        max_by(fetches.currency, fetches.fetched_at_utc) as currency,
        max_by(fetches.current_balance, fetches.fetched_at_utc) as current_balance
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_aa_consent_coverage') }} as coverage
        on days.as_of_date = coverage.as_of_date
    inner join fetches
        on coverage.consent_id = fetches.consent_id
        and {{ known_at('fetches', 'days.cutoff_utc') }}
    where coverage.is_for_features and coverage.has_transactions
    group by
        days.as_of_date, coverage.customer_id, fetches.link_ref_number, fetches.consent_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by as_of_date, link_ref_number
            order by last_fetched_at_utc desc nulls last, consent_id desc nulls last
        ) as recency
    from candidates
)

select
    as_of_date,
    customer_id,
    link_ref_number,
    consent_id,
    currency,
    {{ money('current_balance') }} as current_balance,
    {{ lender_day('last_fetched_at_utc') }} as last_fetched_date,
    -- Millions of transactions are told apart by a number faster than by two texts.
    cast(
        dense_rank() over (order by consent_id asc nulls last, link_ref_number asc nulls last)
        as bigint
    ) as link_number
from ranked
where recency = 1
