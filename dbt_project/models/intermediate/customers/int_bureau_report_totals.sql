-- Tradelines of a report added up once, per state of the report, before any day reads them. A line
-- may be corrected apart from the others: each correction is a new state of the whole, since a
-- median of lines cannot be put together from medians of some of them.
with

-- Read before versions are ordered: numbers sort faster than the strings they are read from.
facts as (
    select
        tradelines.*,
        {{ known_interval(['tradelines.report_id', 'tradelines.tradeline_id']) }}
    from {{ tradeline_facts(ref('stg_bureau_tradelines')) }} as tradelines
),

states as (
    select
        instants.report_id,
        instants.currency,
        instants.known_from as state_from,
        lead(instants.known_from) over (
            partition by instants.report_id, instants.currency
            order by instants.known_from asc nulls last
            -- unique: instants are distinct.
        ) as state_until
    from (select distinct report_id, currency, known_from from facts) as instants
),

lines as (
    select states.state_from, states.state_until, facts.*
    from states
    inner join facts
        on states.report_id = facts.report_id
        and states.currency = facts.currency
        and {{ known_at('facts', 'states.state_from') }}
)

select
    report_id,
    currency,
    state_from as known_from,
    state_until as known_until,
    {{ tradeline_totals() }}
from lines
group by report_id, currency, state_from, state_until
