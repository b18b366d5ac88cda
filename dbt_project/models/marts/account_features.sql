select
    cast(standing.lender_id as string) as lender_id,
    cast(standing.account_id as string) as account_id,
    cast(standing.as_of_date as date) as as_of_date,
    cast(standing.customer_id as string) as customer_id,
    cast(standing.product as string) as product,
    cast(standing.currency as string) as currency,
    {{ money('standing.outstanding_amount') }} as outstanding_amount,
    {{ money('standing.overdue_amount') }} as overdue_amount,
    {{ money('standing.emi_amount') }} as emi_amount,
    {{ money('standing.principal_amount') }} as principal_amount,
    cast(standing.annual_rate as double) as annual_rate,
    cast(standing.tenor_months as int) as tenor_months,
    cast({{ full_months_between('standing.opened_date', 'standing.as_of_date') }} as int)
        as months_on_book,
    cast(standing.emis_overdue as int) as emis_overdue,
    cast(standing.days_past_due as int) as days_past_due,
    cast(standing.bucket as string) as bucket,
    cast(standing.sma_class as string) as sma_class,
    cast(standing.is_delinquent as boolean) as is_delinquent,
    cast(standing.account_status as string) as account_status,
    cast(standing.next_due_date as date) as next_due_date,
    cast({{ days_between('standing.as_of_date', 'standing.next_due_date') }} as int)
        as days_to_next_due,
    {%- for length in [30, 90, 180] %}
    cast(coalesce(payments.payments_{{ length }}d, 0) as int) as payments_{{ length }}d,
    {%- endfor %}
    {%- for length in [30, 90, 180] %}
    {{ money('coalesce(payments.paid_amount_' ~ length ~ 'd, 0)') }} as paid_amount_{{ length }}d,
    {%- endfor %}
    cast(coalesce(payments.bounces_90d, 0) as int) as bounces_90d,
    -- Payments before the first delivered file are known from the snapshot alone.
    cast(
        {{ days_between(
            'coalesce(payments.last_payment_date, standing.last_payment_date)', 'standing.as_of_date'
        ) }} as int
    ) as days_since_last_payment,
    cast(arrears.max_dpd_30d as int) as max_dpd_30d,
    cast(arrears.max_dpd_90d as int) as max_dpd_90d,
    cast(arrears.max_dpd_180d as int) as max_dpd_180d,
    cast(coalesce(arrears.days_delinquent_90d, 0) as int) as days_delinquent_90d,
    cast(instalments.on_time_share_180d as double) as on_time_share_180d,
    {%- for channel in channels() %}
    cast(coalesce(contacts.contacts_{{ channel }}_30d, 0) as int) as contacts_{{ channel }}_30d,
    {%- endfor %}
    cast(coalesce(contacts.right_party_contacts_90d, 0) as int) as right_party_contacts_90d,
    cast({{ days_between('contacts.last_right_party_date', 'standing.as_of_date') }} as int)
        as days_since_right_party_contact,
    cast(coalesce(promises.promises_180d, 0) as int) as promises_180d,
    cast(coalesce(promises.promises_kept_180d, 0) as int) as promises_kept_180d,
    cast(coalesce(promises.promises_broken_180d, 0) as int) as promises_broken_180d,
    -- A column that is new goes to the end: published columns keep their places.
    cast(standing.npa_since_date as date) as npa_since_date,
    cast(standing.npa_episodes as int) as npa_episodes,
    cast({{ days_between('standing.npa_cured_date', 'standing.as_of_date') }} as int)
        as days_since_npa_cure,
    cast(
        {{ sma_class(
            'arrears.max_dpd_180d',
            'standing.npa_since_date is not null or coalesce('
            ~ days_between('standing.npa_cured_date', 'standing.as_of_date') ~ ' < 180, false)'
        ) }} as string
    ) as worst_sma_class_180d,
    {%- for ago in [7, 30, 90] %}
    cast(arrears.days_past_due_{{ ago }}d_ago as int) as days_past_due_{{ ago }}d_ago,
    {%- endfor %}
    cast(arrears.max_dpd_7d as int) as max_dpd_7d,
    {%- for length in [7, 30, 180] %}
    cast(coalesce(arrears.days_delinquent_{{ length }}d, 0) as int)
        as days_delinquent_{{ length }}d,
    {%- endfor %}
    cast(coalesce(payments.payments_7d, 0) as int) as payments_7d,
    {{ money('coalesce(payments.paid_amount_7d, 0)') }} as paid_amount_7d,
    {%- for length in [7, 30, 180] %}
    cast(coalesce(payments.bounces_{{ length }}d, 0) as int) as bounces_{{ length }}d,
    {%- endfor %}
    {%- for length in windows() %}
    {%- for when in ['early', 'on_due_date', 'late'] %}
    cast(coalesce(payments.payments_{{ when }}_{{ length }}d, 0) as int)
        as payments_{{ when }}_{{ length }}d,
    {%- endfor %}
    {{ money('coalesce(payments.prepaid_amount_' ~ length ~ 'd, 0)') }}
        as prepaid_amount_{{ length }}d,
    {%- for what in ['due', 'in_full', 'in_part'] %}
    cast(coalesce(instalments.instalments_{{ what }}_{{ length }}d, 0) as int)
        as instalments_{{ what }}_{{ length }}d,
    {%- endfor %}
    {%- endfor %}
    cast(instalments.part_paid_share_180d as double) as part_paid_share_180d,
    cast(payments.payment_delay_mean_180d as double) as payment_delay_mean_180d,
    cast(payments.payment_delay_deviation_180d as double) as payment_delay_deviation_180d,
    cast(
        {{ ratio('payments.paid_amount_180d', 'payments.payments_180d * standing.emi_amount') }}
        as double
    ) as payment_size_180d,
    cast(payments.payment_amount_variation_180d as double) as payment_amount_variation_180d,
    cast(payments.preferred_payment_method_180d as string) as preferred_payment_method_180d,
    cast(payments.preferred_payment_day_180d as int) as preferred_payment_day_180d,
    {%- for length in [7, 30, 90] %}
    {%- for what in ['promises', 'promises_kept', 'promises_broken'] %}
    cast(coalesce(promises.{{ what }}_{{ length }}d, 0) as int) as {{ what }}_{{ length }}d,
    {%- endfor %}
    {%- endfor %}
    {%- for length in windows() %}
    {%- for channel in channels() %}
    {%- for outcome in ['contacts', 'reacted', 'unreached'] %}
    {%- set name = contact_column(channel, outcome, length) %}
    {%- if not (outcome == 'contacts' and length == 30) %}
    cast(coalesce(contacts.{{ name }}, 0) as int) as {{ name }},
    {%- endif %}
    {%- endfor %}
    {%- endfor %}
    cast(coalesce(contacts.inbound_contacts_{{ length }}d, 0) as int)
        as inbound_contacts_{{ length }}d
    {%- if length != 90 %},
    cast(coalesce(contacts.right_party_contacts_{{ length }}d, 0) as int)
        as right_party_contacts_{{ length }}d
    {%- endif %}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
from {{ ref('int_account_standing') }} as standing
left join {{ ref('int_account_payments') }} as payments
    on standing.as_of_date = payments.as_of_date
    and standing.account_id = payments.account_id
left join {{ ref('int_account_arrears') }} as arrears
    on standing.as_of_date = arrears.as_of_date
    and standing.account_id = arrears.account_id
left join {{ ref('int_account_instalments') }} as instalments
    on standing.as_of_date = instalments.as_of_date
    and standing.account_id = instalments.account_id
left join {{ ref('int_account_contacts') }} as contacts
    on standing.as_of_date = contacts.as_of_date
    and standing.account_id = contacts.account_id
left join {{ ref('int_account_promises') }} as promises
    on standing.as_of_date = promises.as_of_date
    and standing.account_id = promises.account_id
