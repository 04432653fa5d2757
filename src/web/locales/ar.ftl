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
unavailable-meaning = لا يمكن التحقق من تسجيلات الدخول الآن، أو أن الضغط كبير. حسابك لم يتأثر.
unavailable-remedy = يزول هذا عادةً خلال دقيقة. أعد المحاولة بعدها.

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
