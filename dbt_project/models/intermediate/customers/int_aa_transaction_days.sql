{{ config(materialized='view') }}
-- A view, since one model reads it: written to a table, its rows cost more than the sums.
-- One row a linked account, value date, direction, category and span of knowledge: an as-of spine
-- multiplies days, not transactions. Categories stay rows: a column for each would cost as many sums
-- a transaction.
with

links as (
    select distinct consent_id, link_ref_number from {{ ref('int_aa_usable_links') }}
),

reach as (
    select {{ plus_days('min(as_of_date)', -180) }} as last_unread_date
    from {{ ref('int_as_of_dates') }}
),

transactions as (
    select
        fetched.consent_id,
        fetched.link_ref_number,
        fetched.value_date,
        fetched.currency,
        fetched.direction,
        fetched.category,
        fetched.amount,
        fetched.balance_after,
        {{ known_interval(
            ['fetched.consent_id', 'fetched.link_ref_number', 'fetched.transaction_id']
        ) }}
    from {{ ref('stg_aa_transactions') }} as fetched
    inner join links
        on fetched.consent_id = links.consent_id
        and fetched.link_ref_number = links.link_ref_number
)

select
    consent_id,
    link_ref_number,
    value_date,
    currency,
    direction,
    category,
    known_from,
    known_until,
    cast(count(*) as int) as transactions,
    {{ money('sum(amount)') }} as amount,
    {{ money('min(balance_after)') }} as min_balance,
    {{ money('min(balance_after + amount)') }} as min_balance_before
from transactions
-- After the versions are told apart: a correction may move a transaction to another day.
where value_date > (select reach.last_unread_date from reach)
group by
    consent_id, link_ref_number, value_date, currency, direction, category, known_from, known_until
