# العربية

language = العربية
request-id = معرّف الطلب
error-number = خطأ { $status }
footer-help = اذكره عند طلب المساعدة.

action-home = الذهاب إلى صفحة البداية
action-retry = إعادة المحاولة
action-sign-in = تسجيل الدخول
action-choose-tenant = اختيار مستأجر

bad-request-title = لا يمكن فتح هذا العنوان
bad-request-meaning = يمكن فهم الطلب بأكثر من طريقة، لذلك لم يُمرَّر إلى البوابة. لم يتغيّر شيء.
bad-request-remedy = اذهب إلى صفحة البداية وتابع من هناك. إذا أوصلك رابط إلى هنا فأخبر من نشره.
bad-request-reason = السبب

tenant-conflict-title = هذا الطلب يذكر مستأجرَين
tenant-conflict-meaning = { $firstPlace ->
    [host] اسم المضيف
    [forwarded-host] اسم المضيف الذي مرّره وسيط
    [path] المسار
    [query] جزء الاستعلام
   *[header] الترويسة X-WSO2-Tenant
} يقول «{ $first }» و{ $secondPlace ->
    [host] اسم المضيف
    [forwarded-host] اسم المضيف الذي مرّره وسيط
    [path] المسار
    [query] جزء الاستعلام
   *[header] الترويسة X-WSO2-Tenant
} يقول «{ $second }». الطلب يكون لمستأجر واحد فقط، لذلك لم يُفتح أي منهما.
tenant-conflict-remedy = اختر المستأجر الذي تريد زيارته.

unknown-tenant-title = لا يوجد هنا مستأجر باسم «{ $tenant }»
unknown-tenant-meaning = ربما كُتب الاسم خطأً، أو تغيّر اسم المستأجر أو أُزيل.
unknown-tenant-remedy = تحقّق من العنوان، أو اختر مستأجرًا من القائمة.

sign-in-title = سجّل الدخول لرؤية هذه الصفحة
sign-in-meaning = هذا الجزء من البوابة مخصّص لمن سجّلوا الدخول، لذلك لم يُمرَّر طلبك.
sign-in-remedy = سجّل الدخول ثم افتح هذه الصفحة من جديد.
sign-in-unset-remedy = لم تُحدَّد صفحة تسجيل دخول لهذا المستأجر. اسأل القائمين على البوابة عن طريقة تسجيل الدخول.

sign-in-loop-title = لم ينجح تسجيل الدخول
sign-in-loop-meaning = أُرسلت إلى صفحة تسجيل الدخول ثلاث مرات خلال ٣٠ ثانية ولم تتعرّف عليك البوابة بعد. كان المتصفح سيدور في حلقة، لذلك أُوقف هنا.
sign-in-loop-remedy-cookies = اسمح بملفات تعريف الارتباط لهذا الموقع، أو اخرج من التصفح الخاص.
sign-in-loop-remedy-account = سجّل الدخول بحساب تابع لهذا المستأجر.
sign-in-loop-remedy-operator = إذا تكرّر ذلك فأخبر القائمين على البوابة: قد لا تكون رموزها مقبولة هنا.

token-refused-title = لم يُقبل تسجيل دخولك
token-refused-meaning = رمز الوصول المرفق بهذا الطلب غير مقبول هنا. ربما انتهت صلاحيته، أو كان مخصّصًا لمستأجر آخر.
token-refused-reason = السبب
token-refused-remedy = سجّل الدخول من جديد، ثم افتح هذه الصفحة مرة أخرى.

forbidden-title = حسابك لا يسمح بفتح هذه الصفحة
forbidden-meaning = لقد سجّلت الدخول، لكن حسابك تنقصه صلاحية تحتاجها هذه الصفحة.
forbidden-missing = الصلاحية الناقصة
forbidden-remedy = اطلبها من القائمين على البوابة، ثم سجّل الدخول من جديد.

foreign-origin-title = حاول موقع آخر الاتصال
foreign-origin-meaning = حاولت صفحة من موقع آخر فتح اتصال بالبوابة باسمك، فلم يُسمح لها بذلك. لم يتغيّر شيء.
foreign-origin-remedy = افتح البوابة نفسها وتابع من هناك. إذا كان ذلك الموقع لك فاطلب من القائمين على البوابة السماح بعنوانه.

portal-down-title = البوابة لا تستجيب
portal-down-meaning = ربما يُعاد تشغيلها، أو انقطع الطريق إليها. لم يُرسَل طلبك مرة ثانية.
portal-down-remedy = أعد المحاولة بعد دقيقة.

portal-slow-title = البوابة تتأخر في الرد
portal-slow-meaning = استلمت طلبك لكن الرد لم يصل في الوقت المحدد. إذا أرسلت نموذجًا أو ملفًا فربما يكون قد وصل.
portal-slow-remedy = تحقّق من وصول ما أرسلته قبل أن ترسله مرة أخرى.

unavailable-title = يرجى العودة بعد قليل
unavailable-meaning = لا يمكن التحقق من طلبك الآن. حسابك لم يتأثر.
unavailable-remedy = يزول هذا عادةً خلال دقيقة. أعد المحاولة بعدها.

overloaded-title = البوابة مشغولة جدًا
overloaded-meaning = وصلت طلبات أكثر مما تخدمه في الوقت نفسه. حسابك لم يتأثر.
overloaded-remedy = يزول هذا عادةً خلال دقيقة. أعد المحاولة بعدها.

too-many-requests-title = طلبات كثيرة جدًا
too-many-requests-meaning = تلقّت البوابة من جهازك أو من شبكتك طلبات أكثر مما تخدمه لواحد منهما. حسابك لم يتأثر.
too-many-requests-remedy = انتظر لحظة ثم أعد المحاولة. إذا تكرر ذلك، فاسأل القائمين على البوابة.

sign-in-refused-title = لم ينجح تسجيل الدخول
sign-in-refused-meaning = اسم المستخدم أو كلمة المرور غير صحيحة، أو جرت محاولات كثيرة جدًا بهذا الاسم.
sign-in-refused-remedy = انتظر بضع دقائق ثم أعد المحاولة. إذا نسيت كلمة المرور فاطلب كلمة جديدة.

not-found-title = لا توجد صفحة في هذا العنوان
not-found-meaning = ربما كُتب العنوان خطأً، أو نُقلت الصفحة.
not-found-remedy = اذهب إلى صفحة البداية وتابع من هناك.

tenants-title = اختر مستأجرًا
tenants-intro = لكل مستأجر بوابة مطوّرين خاصة به.
tenants-search = البحث بالاسم
tenants-search-action = بحث
tenants-count = { $count ->
    [zero] لا مستأجرين
    [one] مستأجر واحد
    [two] مستأجران
    [few] { $shown } مستأجرين
    [many] { $shown } مستأجرًا
   *[other] { $shown } مستأجر
}
tenants-found = { $count ->
    [0] لا يوجد مستأجر في اسمه «{ $query }»
    [one] مستأجر واحد في اسمه «{ $query }»
    [two] مستأجران في اسميهما «{ $query }»
    [few] { $shown } مستأجرين في أسمائهم «{ $query }»
    [many] { $shown } مستأجرًا في أسمائهم «{ $query }»
   *[other] { $shown } مستأجر في أسمائهم «{ $query }»
}
tenants-list = المستأجرون
tenants-no-match = تحقّق من الإملاء، أو ابحث بجزء من الاسم.
tenants-show-all = عرض كل المستأجرين
tenants-none-title = لا يوجد مستأجر بعد
tenants-none-meaning = يظهر المستأجر هنا ما إن يكون له مجلد خاص في مجلد المستأجرين.
tenants-none-remedy = إذا كنت تتوقع أن تجد مستأجرك هنا فاسأل القائمين على البوابة.
tenants-off-title = قائمة المستأجرين ليست عامة
tenants-off-meaning = القائمون على هذه البوابة لا يعرضون مستأجريها.
tenants-off-remedy = استخدم العنوان الذي أُعطي لك، فهو يذكر مستأجرك.

pages-label = صفحات القائمة
pages-current = الصفحة { $page } من { $pages }
pages-go = الصفحة { $page }
pages-previous = السابقة
pages-next = التالية

action-sign-out = تسجيل الخروج
action-change-password = تغيير كلمة المرور
action-cancel = إلغاء

# قبل عنوان الصفحة التي لم يُقبل نموذجها
page-with-error = مشكلة: { $title }

sign-in-page-title = تسجيل الدخول
sign-in-name = اسم المستخدم أو البريد الإلكتروني
sign-in-password = كلمة المرور
sign-in-look-around = تصفّح دون تسجيل الدخول
sign-in-other-tenant = اختيار مستأجر آخر
password-show = إظهار

sign-in-wrong-title = تعذّر تسجيل دخولك
sign-in-wrong-text = اسم المستخدم أو كلمة المرور غير صحيحة، أو لا يمكن استخدام الحساب في الوقت الحالي. تحقّق منهما وأعد المحاولة؛ بعد محاولات كثيرة يُقفل الحساب لبعض الوقت.
sign-in-empty-title = هناك شيء ناقص
sign-in-empty-text = اكتب اسم المستخدم وكلمة المرور.
sign-in-locked-title = هذا الحساب مقفل
sign-in-locked-text = { $minutes ->
    [zero] كانت هناك محاولات كثيرة بكلمة مرور خاطئة. أعد المحاولة الآن.
    [one] كانت هناك محاولات كثيرة بكلمة مرور خاطئة. أعد المحاولة بعد دقيقة.
    [two] كانت هناك محاولات كثيرة بكلمة مرور خاطئة. أعد المحاولة بعد دقيقتين.
    [few] كانت هناك محاولات كثيرة بكلمة مرور خاطئة. أعد المحاولة بعد { $minutes } دقائق.
    [many] كانت هناك محاولات كثيرة بكلمة مرور خاطئة. أعد المحاولة بعد { $minutes } دقيقة.
   *[other] كانت هناك محاولات كثيرة بكلمة مرور خاطئة. أعد المحاولة بعد { $minutes } دقيقة.
}
sign-in-locked-for-good-title = هذا الحساب مقفل
sign-in-locked-for-good-text = يبقى مقفلًا حتى يفتحه القائمون على البوابة. اطلب منهم ذلك.
sign-in-disabled-title = هذا الحساب معطّل
sign-in-disabled-text = اطلب من القائمين على البوابة تفعيله من جديد.
sign-in-busy-title = يسجّل كثيرون دخولهم الآن
sign-in-busy-client-title = محاولات دخول كثيرة من شبكتك في الوقت نفسه
sign-in-busy-name-title = محاولات دخول كثيرة بهذا الاسم في الوقت نفسه
sign-in-busy-text = { $seconds ->
    [zero] لم تُفحص كلمة مرورك. أعد المحاولة الآن.
    [one] لم تُفحص كلمة مرورك. أعد المحاولة بعد ثانية.
    [two] لم تُفحص كلمة مرورك. أعد المحاولة بعد ثانيتين.
    [few] لم تُفحص كلمة مرورك. أعد المحاولة بعد { $seconds } ثوانٍ.
    [many] لم تُفحص كلمة مرورك. أعد المحاولة بعد { $seconds } ثانية.
   *[other] لم تُفحص كلمة مرورك. أعد المحاولة بعد { $seconds } ثانية.
}
sign-in-unavailable-title = لا يمكن لأحد تسجيل الدخول الآن
sign-in-unavailable-text = لم تُفحص كلمة مرورك ولم يتأثر حسابك. أعد المحاولة بعد دقيقة.
form-expired-title = بقيت هذه الصفحة مفتوحة أطول مما ينبغي
form-expired-text = لم يُرسَل شيء، من باب الأمان. املأ النموذج مرة أخرى.

sign-out-page-title = هل تريد تسجيل الخروج؟
sign-out-meaning = لقد سجّلت الدخول باسم { $user }. تسجيل الخروج ينهي هذه الجلسة في هذا المتصفح، ويبقى ما حفظته كما هو.
sign-out-stay = البقاء مسجّلًا

signed-out-title = لقد سجّلت الخروج
signed-out-meaning = لم يعد هذا المتصفح مسجّل الدخول. ما حفظته في البوابة يبقى كما هو.
signed-out-remedy = على حاسوب يستخدمه آخرون أيضًا، أغلق المتصفح كذلك.
action-sign-in-again = تسجيل الدخول من جديد

foreign-form-title = جاء هذا النموذج من موقع آخر
foreign-form-meaning = أرسلت صفحة من موقع آخر نموذجًا باسمك، فلم يُسمح به. لم يتغيّر شيء.
foreign-form-remedy = افتح الصفحة هنا بنفسك واملأ النموذج من جديد.

stale-form-title = بقيت هذه الصفحة مفتوحة أطول مما ينبغي
stale-form-meaning = لم يُقبل ما أرسلته، من باب الأمان. لم يتغيّر شيء.
stale-form-remedy = افتح الصفحة من جديد وأرسل النموذج مرة أخرى.

bad-form-title = تعذّرت قراءة هذا النموذج
bad-form-meaning = ما أُرسل ليس ما تطلبه هذه الصفحة، أو هو أطول مما ينبغي. لم يتغيّر شيء.
bad-form-remedy = افتح الصفحة من جديد واملأ النموذج.

password-page-title = غيّر كلمة مرورك
password-expired-reason = انتهت صلاحية كلمة مرورك. اختر كلمة جديدة ليكتمل تسجيل دخولك.
password-must-reason = كلمة مرورك حدّدها شخص آخر. اختر كلمة لا يعرفها سواك ليكتمل تسجيل دخولك.
password-current = كلمة المرور الحالية
password-new = كلمة المرور الجديدة
password-again = كلمة المرور الجديدة مرة أخرى
password-rules = المطلوب من كلمة المرور الجديدة
password-others-end = سيُسجَّل خروج كل متصفح آخر يستخدم هذا الحساب.
password-wrong-title = لم تتغيّر كلمة المرور
password-wrong-text = كلمة المرور الحالية غير صحيحة، أو لا يمكن استخدام الحساب في الوقت الحالي. تحقّق منها وأعد المحاولة.
password-empty-title = لم تتغيّر كلمة المرور
password-empty-text = املأ كل الحقول.
password-differs-title = لم تتغيّر كلمة المرور
password-differs-text = كلمتا المرور الجديدتان غير متطابقتين. اكتب الجديدة مرتين.
password-refused-title = لم تتغيّر كلمة المرور
password-refused-text = كلمة المرور الجديدة لا تستوفي المطلوب. الناقص معلَّم أدناه.
password-unchecked-title = لم تتغيّر كلمة المرور
password-unchecked-text = لا يمكن الآن معرفة ما إذا كانت كلمة المرور الجديدة قد سُرّبت. أعد المحاولة بعد دقيقة.
password-misconfigured-title = لم تتغيّر كلمة المرور
password-misconfigured-text = لا يمكن فحص المطلوب من كلمات المرور الجديدة هنا. أخبر القائمين على البوابة.
password-changed = تغيّرت كلمة مرورك، وسُجّل خروج كل متصفح آخر.

rule-met = مستوفى
rule-unmet = غير مستوفى
rule-min-length = { $count ->
    [zero] بأي طول
    [one] حرف واحد على الأقل
    [two] حرفان على الأقل
    [few] { $count } أحرف على الأقل
    [many] { $count } حرفًا على الأقل
   *[other] { $count } حرف على الأقل
}
rule-max-length = { $count ->
    [zero] بلا أحرف
    [one] حرف واحد على الأكثر
    [two] حرفان على الأكثر
    [few] { $count } أحرف على الأكثر
    [many] { $count } حرفًا على الأكثر
   *[other] { $count } حرف على الأكثر
}
rule-not-username = ليست اسم المستخدم الخاص بك
# تظهر حين يكون في السياسة نمط بلا نص خاص به: نمط WSO2
rule-pattern = رقم وحرف لاتيني صغير وحرف لاتيني كبير وأحد الرموز ! @ # $ % & *
rule-not-common = ليست مما يجرّبه الجميع أولًا
rule-no-context-word = خالية من اسمك وبريدك الإلكتروني واسم هذه البوابة
rule-min-score = صعبة التخمين: ثلاث كلمات أو أربع لا علاقة بينها خيار جيد
rule-not-breached = غير معروفة من تسريب لكلمات المرور في مكان آخر
rule-not-used-before = { $count ->
    [zero] ليست كلمة مرورك الحالية
    [one] ليست كلمة مرورك الحالية
    [two] ليست إحدى آخر كلمتي مرور لك
    [few] ليست إحدى آخر { $count } كلمات مرور لك
    [many] ليست إحدى آخر { $count } كلمة مرور لك
   *[other] ليست إحدى آخر { $count } كلمة مرور لك
}
rule-another = ليست كلمة مرورك الحالية

account-page-title = حسابك
account-user = اسم المستخدم
account-name = الاسم
account-email = البريد الإلكتروني
account-password-changed = تغيّرت { $ago }.

sessions-title = أين سجّلت الدخول
sessions-intro = كل متصفح سجّل الدخول بهذا الحساب. أنهِ ما لا تعرفه، ثم غيّر كلمة مرورك.
sessions-here = هذا المتصفح
sessions-end = إنهاء
sessions-end-one = إنهاء { $device }
sessions-end-others = تسجيل الخروج من كل مكان آخر
sessions-end-others-meaning = { $count ->
    [zero] لا متصفح آخر مسجّل الدخول.
    [one] سيُسجَّل خروج متصفح واحد آخر فورًا. يبقى هذا المتصفح مسجّلًا.
    [two] سيُسجَّل خروج متصفحين آخرين فورًا. يبقى هذا المتصفح مسجّلًا.
    [few] سيُسجَّل خروج { $count } متصفحات أخرى فورًا. يبقى هذا المتصفح مسجّلًا.
    [many] سيُسجَّل خروج { $count } متصفحًا آخر فورًا. يبقى هذا المتصفح مسجّلًا.
   *[other] سيُسجَّل خروج { $count } متصفح آخر فورًا. يبقى هذا المتصفح مسجّلًا.
}
sessions-end-others-action = { $count ->
    [zero] إنهاء الجلسات الأخرى
    [one] تسجيل خروج متصفح واحد
    [two] تسجيل خروج متصفحين
    [few] تسجيل خروج { $count } متصفحات
    [many] تسجيل خروج { $count } متصفحًا
   *[other] تسجيل خروج { $count } متصفح
}
sessions-ended-one = سُجّل خروج ذلك المتصفح.
sessions-ended-others = سُجّل خروج كل متصفح آخر.
sessions-already-ended = كان ذلك المتصفح قد سُجّل خروجه.

device-on = { $browser } على { $system }
device-unknown = متصفح غير معروف

ago-now = الآن
ago-minutes = { $count ->
    [zero] الآن
    [one] قبل دقيقة
    [two] قبل دقيقتين
    [few] قبل { $count } دقائق
    [many] قبل { $count } دقيقة
   *[other] قبل { $count } دقيقة
}
ago-hours = { $count ->
    [zero] الآن
    [one] قبل ساعة
    [two] قبل ساعتين
    [few] قبل { $count } ساعات
    [many] قبل { $count } ساعة
   *[other] قبل { $count } ساعة
}
ago-days = { $count ->
    [zero] اليوم
    [one] أمس
    [two] قبل يومين
    [few] قبل { $count } أيام
    [many] قبل { $count } يومًا
   *[other] قبل { $count } يوم
}
