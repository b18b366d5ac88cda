-- noqa: disable=LT02
-- The platform's own messages as a day knew them: one row an action, whatever the order, number and
-- repetition of its provider events: what is repeated changes no earliest and no latest instant.
with

events as (
    select
        event_type,
        action_id,
        customer_id,
        account_id,
        channel,
        occurred_at_utc,
        {{ lender_day('occurred_at_utc') }} as event_date,
        _known_at
    from {{ ref('stg_engagement_events') }}
    where action_id is not null and customer_id is not null and channel is not null
)

select
    days.as_of_date,
    events.action_id,
    events.customer_id,
    events.account_id,
    events.channel,
    cast(min(events.occurred_at_utc) as timestamp) as contacted_at_utc,
    cast(min(events.event_date) as date) as contact_date,
    {%- for event_type in ['opened', 'clicked', 'replied', 'answered'] %}
    cast(min(case when events.event_type = '{{ event_type }}' then events.event_date end) as date)
        as {{ event_type }}_date,
    {%- endfor %}
    cast(
        max(
            case
                when events.event_type in ('opened', 'clicked', 'replied', 'answered')
                    then events.occurred_at_utc
            end
        ) as timestamp
    ) as last_engaged_at_utc,
    -- A failure may be reported before the delivery that followed it.
    cast(
        max(case when events.event_type in ('bounced', 'failed', 'no_answer') then 1 else 0 end) = 1
        and max(
            case
                when events.event_type in (
                    'delivered', 'voicemail', 'opened', 'clicked', 'replied', 'answered'
                ) then 1
                else 0
            end
        ) = 0 as boolean
    ) as is_unreached
from {{ ref('int_as_of_dates') }} as days
inner join events
    on events.event_date <= days.as_of_date
    and events._known_at <= days.cutoff_utc
group by
    days.as_of_date, events.action_id, events.customer_id, events.account_id, events.channel
