with

seen as (
    select
        customers.lender_id,
        customers.as_of_date,
        customers.customer_id,
        signals.product,
        signals.kind,
        signals.times,
        {{ days_between('signals.signal_date', 'days.as_of_date') }} as age_days
    from {{ ref('int_customer_standing') }} as customers
    inner join {{ ref('int_as_of_dates') }} as days
        on customers.as_of_date = days.as_of_date
    inner join {{ ref('int_product_signals') }} as signals
        on customers.customer_id = signals.customer_id
        and {{ in_window('signals.signal_date', 'days.as_of_date', 180) }}
        and {{ known_at('signals', 'days.cutoff_utc') }}
)

select
    cast(lender_id as string) as lender_id,
    cast(customer_id as string) as customer_id,
    cast(product as string) as product,
    cast(as_of_date as date) as as_of_date,
    {%- for kind, one in product_signals() %}
    {%- for length in windows() %}
    cast(
        sum(case when kind = '{{ kind }}' and age_days < {{ length }} then times else 0 end) as int
    ) as {{ kind }}_{{ length }}d,
    {%- endfor %}
    cast(min(case when kind = '{{ kind }}' then age_days end) as int)
        as days_since_{{ one }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from seen
group by lender_id, customer_id, product, as_of_date
