{{ config(materialized='view') }}
-- A view, since one model reads it: written to a table, its rows cost more than the sums.
with

links as (
    select distinct consent_id, link_ref_number, link_number from {{ ref('int_aa_usable_links') }}
),

reach as (
    select {{ plus_days('min(as_of_date)', -180) }} as last_unread_date
    from {{ ref('int_as_of_dates') }}
),

fetched as (
    select
        links.link_number,
        transactions.transaction_id,
        transactions.value_date,
        transactions.currency,
        transactions.direction,
        transactions.category,
        transactions.amount,
        transactions.balance_after,
        transactions._known_at,
        transactions._file_id,
        transactions._row_number
    from {{ ref('stg_aa_transactions') }} as transactions
    inner join links
        on transactions.consent_id = links.consent_id
        and transactions.link_ref_number = links.link_ref_number
),

-- Few transactions are fetched twice, and only their versions are put in order: a window over all of
-- them costs more than whatever is added up of them.
repeated as (
    select
        link_number,
        transaction_id,
        count(*) as versions
    from fetched
    group by link_number, transaction_id
    having count(*) > 1
),

versions as (
    select
        fetched.*,
        fetched._known_at as known_from,
        cast(null as timestamp) as known_until
    from fetched
    left join repeated
        on fetched.link_number = repeated.link_number
        and fetched.transaction_id = repeated.transaction_id
    where repeated.versions is null
    union all
    select
        fetched.*,
        {{ known_interval(['fetched.link_number', 'fetched.transaction_id']) }}
    from fetched
    inner join repeated
        on fetched.link_number = repeated.link_number
        and fetched.transaction_id = repeated.transaction_id
)

select
    link_number,
    transaction_id,
    value_date,
    currency,
    direction,
    category,
    amount,
    balance_after,
    known_from,
    known_until
from versions
-- After the versions are told apart: a correction may move a transaction to another day.
where value_date > (select reach.last_unread_date from reach)
