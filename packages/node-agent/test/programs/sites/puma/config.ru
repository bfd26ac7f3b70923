require 'securerandom'
visits = 0
ticks = 0
lock = Mutex.new
Thread.new { loop { sleep 0.05; ticks += 1 } }
run lambda { |env|
  lock.synchronize { visits += 1 } if env['PATH_INFO'] == '/'
  draws = [rand, [*1..100].shuffle.join(' '), SecureRandom.uuid].join("\n") if env['PATH_INFO'] == '/draws'
  [200, { 'content-type' => 'text/plain' }, [draws || "visits #{visits} ticks #{ticks}\n"]]
}
